"""`aftercare patient`: hold, resume and close; tailor and reach."""

import typer

from cli import output
from cli.commands.publishing import proven
from cli.errors import refuse
from cli.session import ACTOR, an_instant, services, the_patient, zone_of_clinic
from worker.counting import counted
from worker.steps import consents, people, tailoring
from worker.steps.people import Reason
from worker.steps.tailoring import Reach

app = typer.Typer(no_args_is_help=True, add_completion=False)

_PATIENT = typer.Argument(help="The patient's id.", show_default=False)
_CLINIC = typer.Option(None, help="The clinic, if several use this patient id.")
_REASON = typer.Option(..., help="Why.", show_default=False)


@app.callback()
def main() -> None:
    """One patient: hold, resume or close their texts (never their own stop), tailor, reach."""


@app.command(epilog="Example: aftercare patient hold P-1001 --reason hospital --until 2026-12-08")
def hold(
    patient: str = _PATIENT,
    reason: Reason = _REASON,
    until: str | None = typer.Option(None, help="A day or an instant; open unless given."),
    clinic: str | None = _CLINIC,
) -> None:
    """Hold texts: what is unsent is cancelled at once, coming visits become calls."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        end = an_instant(until, zone_of_clinic(running, person.clinic_id), "--until")
        done = people.hold(running, person.id, reason=reason, until=end, actor=ACTOR)
    output.result(f"On hold ({reason.value}). {_cancelled(done.cancelled)} cancelled.")


@app.command(epilog="Example: aftercare patient resume P-1001")
def resume(
    patient: str = _PATIENT,
    reason: Reason | None = typer.Option(None, help="Why, for the audit trail."),
    clinic: str | None = _CLINIC,
) -> None:
    """Lift a hold, or reopen a closed record; coming visits are planned again."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        done = people.resume(running, person.id, reason=reason, actor=ACTOR)
        stopped = consents.is_stopped(running, person.id)
    output.result(f"Texts are planned again; {counted(done.enrollments, 'enrollment')} began anew.")
    if stopped:
        output.say("The patient has stopped texts. Only their START lifts that.")


@app.command(epilog="Example: aftercare patient close P-1001 --reason discharged")
def close(patient: str = _PATIENT, reason: Reason = _REASON, clinic: str | None = _CLINIC) -> None:
    """Close a record: texts and enrollments end, open follow-ups get an owner."""
    with services() as running:
        person = the_patient(running, patient, clinic)
        done = people.close(running, person.id, reason=reason, actor=ACTOR)
    output.result(
        f"Closed ({reason.value}). {_cancelled(done.cancelled)} cancelled, "
        f"{counted(done.enrollments, 'enrollment')} ended."
    )


@app.command(
    name="text-seen", epilog="Example: aftercare patient text-seen P-1001 --by kim@clinic.test"
)
def text_seen(
    patient: str = _PATIENT,
    by: str = typer.Option(..., "--by", help="Your e-mail address in the console."),
    clinic: str | None = _CLINIC,
) -> None:
    """Say that you saw our text on the patient's phone: check-ins wait for that, or for a reply.

    Your password is asked for, or read from standard input: it is kept who said so.
    """
    with services() as running:
        person = the_patient(running, patient, clinic)
        staff = proven(running, person.clinic_id, by)
        people.text_seen(running, person.id, actor=f"staff:{staff.id}")
    output.result("Noted: the number is proved, and check-ins are planned.")


@app.command(epilog='Example: aftercare patient tailor P-1001 --set "cadence=daily: every 2 days"')
def tailor(
    patient: str = _PATIENT,
    setting: list[str] = typer.Option(
        ..., "--set", help="COLUMN=VALUE as in patients.csv; an empty value takes it back."
    ),
    clinic: str | None = _CLINIC,
) -> None:
    """Set what is different for one patient: hour, cadence, steps off, language, zone, hours."""
    said = dict(map(_setting, setting))
    with services() as running:
        person = the_patient(running, patient, clinic)
        tailoring.tailor(running, person.id, said, actor=ACTOR)
    output.result(f"Set: {', '.join(said)}. See `aftercare preview {patient}`.")


def _setting(text: str) -> tuple[str, str]:
    column, given, value = text.partition("=")
    if not given:
        refuse(f'--set: "{text}" can\'t be read; write it as check_in_time=18:30.')
    return column.strip(), value.strip()


@app.command(epilog="Example: aftercare patient reach P-1002 tag --tag J")
def reach(
    patient: str = _PATIENT,
    how: Reach = typer.Argument(help="How they are reached.", show_default=False),
    tag: str | None = typer.Option(None, help="What the patient picked, such as J."),
    clinic: str | None = _CLINIC,
) -> None:
    """Say how somebody is reached whose number another patient has: by calls, or by a tag.

    The other choice, a number of their own, comes in by `aftercare import patients`.
    """
    with services() as running:
        person = the_patient(running, patient, clinic)
        done = tailoring.reach(running, person.id, how, actor=ACTOR, tag=tag)
    if done.calls_only:
        output.result("Calls only: no text goes to this patient, and instructions become calls.")
    elif done.waits:
        output.result("Noted. No text goes until everybody on the number has a tag of their own.")
    else:
        output.result("Noted: texts are planned again.")


def _cancelled(number: int) -> str:
    return counted(number, "unsent text was", "unsent texts were")
