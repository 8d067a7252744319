"""One patient, otherwise: what staff agree with them, and how they are reached.

The import brings the same in as columns. What is set here stays when the file comes again
unchanged (care rule 25). Every change asks for a new plan, and unsent texts follow it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from records import clinics, enrollments, intake, patients, stopping
from records.base import Session
from records.patients import Patient
from schedules.reasons import SkipReason
from schedules.windows import first_instant
from worker import protocols, resting, trail
from worker.endings import refuse_closed
from worker.intake import tailored, values
from worker.intake.table import CellError, near
from worker.refusal import RefusedError
from worker.services import Services

#: What may be set, as the columns of `patients.csv` call it; an empty value takes it back. A pause
#: is set by hand only.
SETTINGS = (
    "check_in_time",
    "cadence",
    "steps_off",
    "language",
    "timezone",
    "safe_hours",
    "quit_date",
    "substances",
    "pause_until",
)
_LONGEST_TAG = 8
# Whoever is away for longer has no use for check-ins that begin again by themselves.
_LONGEST_PAUSE = timedelta(days=366)


class Reach(StrEnum):
    """How a patient whose number somebody else has is reached (care rule 22)."""

    CALLS_ONLY = "calls-only"
    TAG = "tag"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is on record of how a patient is reached. `waits`: no text goes until staff choose."""

    calls_only: bool
    tagged: bool
    waits: bool


def tailor(services: Services, patient_id: UUID, said: Mapping[str, str], *, actor: str) -> None:
    """Set what is different for one patient; `said` is by column, in the words of the file.

    Raises RefusedError, with the column and the mend, and then nothing was changed.
    """
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        refuse_closed(person)
        known = _steps(session, person)
        details = patients.profile(services.vault, person)
        for column, text in said.items():
            value = _read(column, text.strip(), known)
            if column == "pause_until":
                _pause(session, services, person, value)
            else:
                _set(person, details, column, value)
        patients.seal_profile(services.vault, person, details)
        person.updated_at = services.now
        session.flush()
        # A claimed text is judged anew: its language or hours may have changed.
        intake.release_of_patients(session, [person.id])
        enrollments.request_plan_of_patient(session, person.id)
        trail.note(session, services, person, actor, "patient.tailored", {"columns": sorted(said)})


def _steps(session: Session, person: Patient) -> set[str]:
    """Return the steps that the clinic's protocols have, alone and with their protocol."""
    published = protocols.of_clinic(session, person.clinic_id)
    names = {(name, step.id) for name in published for step in published[name][0].steps}
    return {step for _, step in names} | {f"{name}/{step}" for name, step in names}


def _read(column: str, text: str, known: set[str]) -> Any:
    if column not in SETTINGS:
        raise RefusedError(f'"{column}" can\'t be set; {near(column, SETTINGS)}')
    if not text:
        return None
    try:
        value = _READERS[column](text)
    except CellError as error:
        raise RefusedError(f"{column}: {error}.") from None
    named = [rule.split(":")[0].strip() for rule in value] if column == "cadence" else value
    for step in named if column in {"cadence", "steps_off"} else ():
        if step not in known:
            raise RefusedError(
                f'{column}: no protocol here has a step "{step}"; {near(step, known)}'
            )
    return value


def _set(person: Patient, details: dict[str, Any], column: str, value: Any) -> None:
    if column == "safe_hours":
        person.safe_from, person.safe_until = (value.opens, value.closes) if value else (None, None)
    elif column == "language":
        person.language = value or person.language
    elif column in {"check_in_time", "timezone"}:
        setattr(person, column, value)
    elif value is None:
        details.pop(column, None)
    else:
        details[column] = value


def _pause(session: Session, services: Services, person: Patient, day: date | None) -> None:
    """Rest check-ins until a day begins where the patient lives; without one they go on at once."""
    now = services.now
    resting.end_pause(person, now=now)
    if day is None:
        return
    zone = person.timezone or clinics.by_id(session, person.clinic_id).file.timezone
    until = first_instant(day, time(), ZoneInfo(zone))
    if not now < until <= now + _LONGEST_PAUSE:
        raise RefusedError(
            f"pause_until: {day} is not ahead, or more than a year. Write the day on which "
            "check-ins are to go again, such as 2026-12-10"
        )
    resting.pause(session, person, until=until)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "check_in_time": values.clock,
    "cadence": tailored.cadences,
    "steps_off": values.several,
    "language": values.word(tailored.LANGUAGES),
    "timezone": values.zone,
    "safe_hours": values.hours,
    "quit_date": lambda text: values.day(text).isoformat(),
    "substances": tailored.substances,
    "pause_until": values.day,
}


def reach(
    services: Services, patient_id: UUID, how: Reach, *, actor: str, tag: str | None = None
) -> Shared:
    """Say how a patient on a shared number is reached: calls only, or by a tag in every text.

    `Reach.TEXTS` takes both back. Another number is a matter of the import. A tag counts once
    everybody on the number has one of their own. Raises RefusedError.
    """
    with services.database.transaction() as session:
        person = intake.lock_patient(session, patient_id)
        refuse_closed(person)
        others = [
            other
            for other in patients.on_number(session, person.clinic_id, person.phone_blind)
            if other.id != person.id and other.status != "closed"
        ]
        person.calls_only = how is Reach.CALLS_ONLY
        plain = _tag(services, others, tag) if how is Reach.TAG else None
        vault = services.vault
        person.tag = vault.seal("patient", "tag", person.id, plain) if plain else None
        person.updated_at = services.now
        session.flush()
        if person.calls_only:
            why = SkipReason.CALLS_ONLY.value
            stopping.cancel_unsent_of_patient(session, person.id, reason=why, now=services.now)
        everybody = [person, *others]
        # Whoever waited for this choice, or is tagged from now on, is planned anew.
        intake.release_of_patients(session, [each.id for each in everybody])
        enrollments.request_plan_of_patients(session, [each.id for each in everybody])
        trail.note(session, services, person, actor, "patient.reached", {"by": how.value})
        held = [each for each in others if not each.calls_only]
        untagged = [each for each in held if each.tag is None or person.tag is None]
        return Shared(
            calls_only=person.calls_only,
            tagged=person.tag is not None,
            waits=not person.calls_only and bool(untagged),
        )


def _tag(services: Services, others: Sequence[Patient], tag: str | None) -> str:
    """Check the tag that a patient picked: short, and nobody else's on the number."""
    text = (tag or "").strip()
    if not text or len(text) > _LONGEST_TAG or not text.isascii() or not text.isalnum():
        raise RefusedError(
            f"A tag is one to {_LONGEST_TAG} letters or digits that the patient picked, such as J. "
            "It stands before every text."
        )
    opened = (patients.opened(services.vault, other, "tag") for other in others if other.tag)
    if text.casefold() in {each.casefold() for each in opened}:
        raise RefusedError(
            "Somebody else on this number has this tag. Let the patient pick another."
        )
    return text
