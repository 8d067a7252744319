"""`aftercare clinic apply`: a clinic from its file."""

import json
import sys
from pathlib import Path

import typer

from cli import effects, output
from cli.commands import clinic_close, clinic_versions, publishing
from cli.errors import refuse
from cli.session import named_actor, services, the_clinic
from messages import ownwords
from messages.errors import LexiconError
from records import clinics as kept
from records.clinics import Staff
from records.publishing import CLINIC_FILE, Proposal
from schedules import clinic_cover
from schedules.clinic import ClinicFile, read_clinic
from schedules.yamlfile import parse
from worker import clinicfiles, signoff
from worker.clinicfiles import Compared
from worker.costs import price_of
from worker.counting import counted
from worker.protocols import parsed
from worker.services import Services
from worker.steps import clinics

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """Clinics, each as its file describes it."""


@app.command(epilog="Example: aftercare clinic apply clinic.yaml")
def apply(
    file: Path = typer.Argument(help="The clinic's file, such as clinic.yaml.", show_default=False),
    end_running: bool = typer.Option(
        False, "--end-running", help="End protocols that the file leaves out and patients follow."
    ),
    by: str | None = publishing.BY,
    yes: bool = typer.Option(False, "--yes", help="Ask nothing, on a terminal too."),
    dry_run: bool = publishing.DRY_RUN,
    price: float | None = publishing.PRICE,
    everything: bool = publishing.ALL,
    as_json: bool = typer.Option(False, "--json", help="One JSON object for each change."),
) -> None:
    """Create or update a clinic; prints what changed. Applying a file twice changes nothing.

    A change that moves texts is first shown on live patients; on a terminal it is asked about.
    Once the clinic has a clinician or a patient, a change of safety content is proposed: fasting,
    on_call, lead, after_hours, closed_day_caller, substances, words, playbook, gates, wording
    about safety, and a protocol switched on or off that holds safety content.
    """
    text = _read(file)
    with publishing.started() as running:
        described = read_clinic(text, str(file), sandbox=running.settings.mode == "sandbox")
        located = parse(text, str(file))
        for warning in clinic_cover.warnings(described, located):
            output.say(f"warning: {warning}")
        for doubt in _doubts(described):
            output.say(f"warning: {doubt}")
        person = None if by is None else _person(running, described.id, by)
        showing = _Showing(running, price, everything=everything, as_json=as_json)
        try:
            _put_into_force(
                showing, described, person, end_running=end_running, yes=yes, dry_run=dry_run
            )
        except clinics.InUseError as error:
            refuse(f"{file}:{located.line(('protocols',))}: {error}")
        except clinicfiles.UnfitWordingError as error:
            for fault in error.faults:
                line = located.line((clinicfiles.WORDING, fault.template, fault.language))
                output.say(f"{file}:{line}: {fault}")
            refuse("Nothing was changed.")


def _doubts(described: ClinicFile) -> list[str]:
    """Return what is doubtful about a clinic's own words; broken ones are refused later."""
    words = described.to_json()["words"]
    try:
        return ownwords.warnings(words) if words else []
    except LexiconError:
        return []


@app.command(epilog="Example: aftercare clinic rollback --clinic riverside --to 3")
def rollback(
    to: int | None = typer.Option(None, "--to", help="The version; the one before unless given."),
    clinic: str | None = publishing.CLINIC,
    by: str | None = publishing.BY,
    yes: bool = publishing.YES,
    dry_run: bool = publishing.DRY_RUN,
    price: float | None = publishing.PRICE,
    everything: bool = publishing.ALL,
    as_json: bool = publishing.JSON,
) -> None:
    """Bring an earlier version of a clinic's file back; shown, asked and approved like any other.

    `aftercare clinic show > clinic.yaml` then writes the file that is in force.
    """
    with publishing.started() as running:
        described, number = clinic_versions.earlier(running, clinic, to)
        person = None if by is None else _person(running, described.id, by)
        showing = _Showing(running, price, everything=everything, as_json=as_json)
        _put_into_force(showing, described, person, yes=yes, dry_run=dry_run, restores=number)


for _command, _example in (
    (clinic_versions.show, "show --clinic riverside > clinic.yaml"),
    (clinic_versions.history, "history --clinic riverside"),
    (clinic_versions.wording, "wording --clinic riverside --language es"),
    (clinic_close.close, "close 2026-12-18 --clinic riverside"),
):
    app.command(epilog=f"Example: aftercare clinic {_example}")(_command)


def _put_into_force(
    showing: "_Showing",
    described: ClinicFile,
    person: Staff | None,
    *,
    yes: bool,
    dry_run: bool,
    end_running: bool = False,
    restores: int | None = None,
) -> None:
    """Show what a file does; then apply it, or propose it where a clinician has to approve."""
    running, as_json = showing.running, showing.as_json
    compared = clinicfiles.compare(running, described)
    if compared is None and dry_run:
        _would_be_created(described, as_json=as_json)
        return
    for warning in clinicfiles.one_sided(described):
        output.say(f"warning: {warning}")
    if compared is not None:
        moves = showing.effects(compared, dry_run=dry_run)
        effects.warn(compared)
        if dry_run:
            (_changes_as_json if as_json else _changes_in_words)(compared)
        if not end_running:
            clinics.check_in_use(running, described)
        if dry_run:
            return
        asks = compared.enforced and bool(compared.safety)
        if asks and not signoff.is_approved(running, compared.clinic_id, compared.wanted):
            _propose(
                running,
                compared,
                person,
                end_running=end_running,
                restores=restores,
                as_json=as_json,
            )
            return
        if moves and not yes and sys.stdin.isatty():
            effects.confirmed(f"Apply it to {compared.key}?", yes=False)
    done = clinics.apply(
        running,
        described,
        actor=f"staff:{person.id}" if person else named_actor(),
        end_running=end_running,
        seen=compared.seen if compared else None,
        restores=restores,
    )
    _tell(done, as_json=as_json)
    if done.created:
        _warn_of_new(described, done)


@app.command(epilog="Example: aftercare clinic approve --clinic riverside --by lee@clinic.test")
def approve(
    by: str = typer.Option(..., "--by", help="Your e-mail address in the console."),
    clinic: str | None = publishing.CLINIC,
    language: list[str] = typer.Option([], help="Only this language; all unless given."),
    yes: bool = publishing.YES,
    price: float | None = publishing.PRICE,
    everything: bool = publishing.ALL,
    as_json: bool = publishing.JSON,
) -> None:
    """Approve the proposed settings as a second person, a clinician; they are then applied."""
    with publishing.started() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        row = publishing.waiting(running, which.id, CLINIC_FILE)
        file = _proposed(row)
        compared = clinicfiles.compare(running, file)
        if compared is None or not compared.wanted.is_proposed_by(row):
            refuse(
                "The settings, or what the product ships, have changed since it was proposed. "
                "Propose it anew."
            )
        showing = _Showing(running, price, everything=everything, as_json=as_json)
        showing.effects(compared, dry_run=True)
        effects.warn(compared)
        (_changes_as_json if as_json else _changes_in_words)(compared)
        person = publishing.proven(running, which.id, by)
        effects.confirmed(f"Do you approve this as a clinician, {person.email}?", yes=yes)
        standing = signoff.approve(
            running,
            which.id,
            compared.wanted,
            proposal_id=row.id,
            by=person,
            languages=language,
        )
        if standing.waits:
            output.say(f"{which.key}: still to be approved: {', '.join(standing.waits)}.")
            if as_json:
                output.result(output.json_line({"clinic": which.key, "waits": standing.waits}))
            return
        done = clinics.apply(
            running,
            file,
            actor=f"staff:{person.id}",
            end_running=row.end_running,
            seen=compared.seen,
            restores=row.restores,
        )
    _tell(done, as_json=as_json)


def _proposed(row: Proposal) -> ClinicFile:
    """Return the file that a proposal holds; end the command over one of an older release's."""
    try:
        file = kept.read(json.loads(row.source))
    except ValueError:
        file = None
    if file is None:
        refuse(
            f"{publishing.unreadable(row)} Apply the clinic's file with --by to propose it anew, "
            "or end this one with `aftercare clinic reject`."
        )
    return file


@app.command(epilog="Example: aftercare clinic reject --by lee@clinic.test --why 'Kim has left'")
def reject(
    by: str = typer.Option(..., "--by", help="Your e-mail address in the console."),
    why: str = typer.Option(..., "--why", help="What is wrong with it; it is kept."),
    clinic: str | None = publishing.CLINIC,
) -> None:
    """Reject proposed settings, or take your own back."""
    with services() as running:
        with running.database.transaction() as session:
            which = the_clinic(session, clinic)
        row = publishing.waiting(running, which.id, CLINIC_FILE)
        person = publishing.proven(running, which.id, by)
        signoff.reject(
            running, which.id, subject=CLINIC_FILE, proposal_id=row.id, by=person, why=why
        )
    output.result(f"{which.key}: the proposal is rejected. Nothing was changed.")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")


class _Showing:
    """Says what a file does to live patients, before it does it."""

    def __init__(
        self, running: Services, price: float | None, *, everything: bool, as_json: bool
    ) -> None:
        self.running, self.as_json = running, as_json
        self._price, self._everything = price, everything

    def effects(self, compared: Compared, *, dry_run: bool) -> bool:
        """Show it where texts may move; return whether any does.

        Beside a change it goes to standard error: what programs read there is what was changed.
        """
        if not compared.may_move_texts:
            return False
        if not compared.has_before:
            output.say("No file of before can be read: what this one moves can't be shown.")
            return True
        file = compared.change.file
        found = effects.looked_at(self.running, compared.change)
        price = price_of(file, self._price)
        line = output.result if dry_run else output.say
        if self.as_json and dry_run:
            effects.as_json(found, price, line=line)
        elif not self.as_json and (found.texts or found.moves_texts or dry_run):
            line(f"{compared.key}: what the file does to live patients")
            effects.in_words(found, price, file.zone, everything=self._everything, line=line)
        return found.moves_texts


def _person(running: Services, key: str, email: str) -> Staff:
    with running.database.transaction() as session:
        clinic_id = the_clinic(session, key).id
    return publishing.proven(running, clinic_id, email)


def _propose(
    running: Services,
    compared: Compared,
    person: Staff | None,
    *,
    end_running: bool,
    restores: int | None,
    as_json: bool,
) -> None:
    if person is None:
        raise signoff.NeedsApprovalError(compared.safety)
    signoff.propose(
        running,
        compared.clinic_id,
        compared.wanted,
        by=person,
        restores=restores,
        end_running=end_running,
    )
    if as_json:
        said = {"clinic": compared.key, "proposed": True, "safety": list(compared.safety)}
        output.result(output.json_line(said))
    else:
        output.result(f"{compared.key}: proposed, and nothing is changed yet. It changes")
        for each in compared.safety:
            output.result(f"  {each}")
    output.say(f"A clinician approves: aftercare clinic approve --clinic {compared.key} --by EMAIL")


def _told_shorter(count: int) -> str:
    """Say of how many patients a text told a fast that is too short now."""
    return f"told a shorter fast by a text that went: {counted(count, 'patient')}; staff call each"


_MENDS = "the settings in force can't be read, and these take their place"


def _changes_in_words(compared: Compared) -> None:
    if compared.mends:
        output.result(f"  {_MENDS}")
    for change in compared.changes:
        output.result(f"  {change.field}: {_shown(change.before)} -> {_shown(change.after)}")
    stay = "" if compared.may_move_texts else "; none moves"
    for template, count in compared.reached.items():
        output.result(f"  {template}: {counted(count, 'unsent text')} will read otherwise{stay}")
    if compared.told_shorter:
        output.result(f"  {_told_shorter(compared.told_shorter)}")
    for name, number in compared.published:
        output.result(f"  protocol {name}: version {number} would be in force")
    for each in compared.safety:
        output.result(f"  safety content: {each}")


def _changes_as_json(compared: Compared) -> None:
    if compared.mends:
        output.result(output.json_line({"clinic": compared.key, "mends": True}))
    for change in compared.changes:
        said = {"field": change.field, "before": change.before, "after": change.after}
        output.result(output.json_line({"clinic": compared.key, **said}))
    for template, count in compared.reached.items():
        said = {"reworded": template, "unsent_texts": count}
        output.result(output.json_line({"clinic": compared.key, **said}))
    if compared.told_shorter:
        output.result(
            output.json_line({"clinic": compared.key, "told_a_shorter_fast": compared.told_shorter})
        )
    for name, number in compared.published:
        said = {"protocol": name, "version": number}
        output.result(output.json_line({"clinic": compared.key, **said}))
    for each in compared.safety:
        output.result(output.json_line({"clinic": compared.key, "safety": each}))


def _would_be_created(described: ClinicFile, *, as_json: bool) -> None:
    if as_json:
        output.result(output.json_line({"clinic": described.id, "would_create": True}))
    else:
        output.result(f"{described.id}: would be created.")


def _warn_of_new(file: ClinicFile, done: clinics.Applied) -> None:
    sources = clinicfiles.shipped_sources()
    for name, _ in done.published:
        for warning in effects.unread(parsed(sources[name], name), file):
            output.say(f"warning: {name}, {warning}")


def _tell(done: clinics.Applied, *, as_json: bool) -> None:
    if as_json:
        _as_json(done)
    else:
        _in_words(done)


def _as_json(done: clinics.Applied) -> None:
    if done.created:
        output.result(output.json_line({"clinic": done.key, "created": True}))
    if done.mended:
        output.result(output.json_line({"clinic": done.key, "mends": True}))
    for change in done.changes:
        said = {"field": change.field, "before": change.before, "after": change.after}
        output.result(output.json_line({"clinic": done.key, **said}))
    for name, number in done.published:
        output.result(output.json_line({"clinic": done.key, "protocol": name, "version": number}))


def _in_words(done: clinics.Applied) -> None:
    if not done.changed:
        output.result(f"{done.key}: nothing changed.")
        return
    output.result(f"{done.key}: {'created' if done.created else 'updated'}.")
    if done.mended:
        output.result(f"  {_MENDS}")
    for change in done.changes:
        output.result(f"  {change.field}: {_shown(change.before)} -> {_shown(change.after)}")
    for name, number in done.published:
        output.result(f"  protocol {name}: version {number} is in force")
    if done.told_shorter:
        output.result(f"  {_told_shorter(done.told_shorter)}")
    if done.moved_texts:
        moved = counted(done.moved_texts, "unsent text goes", "unsent texts go")
        output.result(f"  {moved} from the new sender")
    if done.enrolled or done.ended:
        output.result(f"  {counted(done.enrolled, 'enrollment')} began, {done.ended} ended")


def _shown(value: object) -> str:
    return "nothing" if value in (None, [], {}) else output.cell(value)
