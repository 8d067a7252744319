"""`aftercare protocols publish | approve | reject | rollback | history`: changes made in safety."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import typer

from cli import effects, output
from cli.errors import CommandError, refuse
from cli.session import named_actor, services, the_clinic
from messages.errors import MessageError
from records import publishing as kept
from records.clinics import Staff
from records.publishing import Proposal
from schedules.errors import ProtocolError
from schedules.safety import is_safety_step
from worker import crashpoints, rollout, signoff
from worker.costs import price_of
from worker.counting import counted
from worker.effects import Effects
from worker.rendering import usual_values, words_of
from worker.services import Services
from worker.signoff import MovedOnError
from worker.steps import publishing
from worker.steps.publishing import Draft

CLINIC = typer.Option(None, "--clinic", help="The clinic's id; the only one unless given.")
YES = typer.Option(False, "--yes", help="Do it without asking; for scripts.")
DRY_RUN = typer.Option(False, "--dry-run", help="Only show what it would do.")
ALL = typer.Option(False, "--all", help="List every text that goes otherwise.")
JSON = typer.Option(False, "--json", help="One JSON object a line.")
BY = typer.Option(None, "--by", help="Your e-mail address in the console; your password is asked.")
PRICE = typer.Option(None, "--price", min=0, help="US dollars a segment, for the forecast.")


def publish(
    file: Path = typer.Argument(help="The protocol's file.", show_default=False),
    clinic: str | None = CLINIC,
    by: str | None = BY,
    yes: bool = YES,
    dry_run: bool = DRY_RUN,
    price: float | None = PRICE,
    everything: bool = ALL,
    as_json: bool = JSON,
) -> None:
    """Put a protocol's file into force: shows what it does to live patients, and asks.

    A change of safety content becomes a proposal that a clinician approves. Run it again after a
    kill: it goes on where it stopped.
    """
    source = _read(file)
    with started() as running:
        clinic_id = _clinic_id(running, clinic)
        draft = publishing.draft(running, clinic_id, source, str(file))
        doing = _Publishing(running, price, everything=everything, as_json=as_json)
        doing.go(draft, by=by, yes=yes, dry_run=dry_run)


def rollback(
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    to: int | None = typer.Option(None, "--to", help="The version; the one before unless given."),
    clinic: str | None = CLINIC,
    by: str | None = BY,
    yes: bool = YES,
    dry_run: bool = DRY_RUN,
    price: float | None = PRICE,
    everything: bool = ALL,
    as_json: bool = JSON,
) -> None:
    """Bring an earlier version back, as a version of its own; shown and asked like any other."""
    with started() as running:
        clinic_id = _clinic_id(running, clinic)
        row = publishing.earlier(running, clinic_id, protocol, to)
        name = f"{protocol} v{row.number}"
        draft = publishing.draft(running, clinic_id, row.source, name, restores=row.number)
        doing = _Publishing(running, price, everything=everything, as_json=as_json)
        doing.go(draft, by=by, yes=yes, dry_run=dry_run)


def approve(
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    by: str = typer.Option(..., "--by", help="Your e-mail address in the console."),
    language: list[str] = typer.Option([], help="Only this language; all unless given."),
    clinic: str | None = CLINIC,
    yes: bool = YES,
    price: float | None = PRICE,
    everything: bool = ALL,
    as_json: bool = JSON,
) -> None:
    """Approve a proposal as a second person, a clinician; the last language puts it into force."""
    with started() as running:
        clinic_id = _clinic_id(running, clinic)
        row = waiting(running, clinic_id, signoff.subject_of(protocol))
        draft = _proposed(running, clinic_id, protocol, row)
        if draft.base_number != row.base_number:
            refuse("Another version came into force since it was proposed. Propose it anew.")
        if not draft.wanted.is_proposed_by(row):
            refuse("Other things count as safety content since it was proposed. Propose it anew.")
        doing = _Publishing(running, price, everything=everything, as_json=as_json)
        person = doing.person = proven(running, clinic_id, by)
        found = doing.show(draft)
        doing.show_words(draft)
        effects.confirmed(f"Do you approve this as a clinician, {person.email}?", yes=yes)
        standing = signoff.approve(
            running,
            clinic_id,
            draft.wanted,
            proposal_id=row.id,
            by=person,
            languages=language,
        )
        if standing.waits:
            doing.tell(
                {"approved": protocol, "waits_for": list(standing.waits)},
                f"{protocol}: approved. Still to be approved: {', '.join(standing.waits)}.",
            )
            return
        doing.put_into_force(draft, found)


def _proposed(running: Services, clinic_id: UUID, protocol: str, row: Proposal) -> Draft:
    """Return what a proposal would bring; end the command over one of an older release's."""
    name = f"the proposal for {protocol}"
    try:
        return publishing.draft(running, clinic_id, row.source, name, restores=row.restores)
    except ProtocolError as error:
        refuse(
            f"{error}\n{unreadable(row)} Publish the file without these faults with --by to "
            f"propose it anew, or end this one with `aftercare protocols reject {protocol}`."
        )


def reject(
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    by: str = typer.Option(..., "--by", help="Your e-mail address in the console."),
    why: str = typer.Option(..., "--why", help="What is wrong with it; it is kept."),
    clinic: str | None = CLINIC,
) -> None:
    """Reject a proposal, or take your own back."""
    with started() as running:
        clinic_id = _clinic_id(running, clinic)
        subject = signoff.subject_of(protocol)
        row = waiting(running, clinic_id, subject)
        person = proven(running, clinic_id, by)
        signoff.reject(running, clinic_id, subject=subject, proposal_id=row.id, by=person, why=why)
    output.result(f"{protocol}: the proposal is rejected. Nothing was changed.")


def history(
    protocol: str = typer.Argument(help="The protocol's id.", show_default=False),
    clinic: str | None = CLINIC,
    as_json: bool = JSON,
) -> None:
    """List a protocol's versions at a clinic, and its proposals with who approved them."""
    with started() as running:
        clinic_id = _clinic_id(running, clinic)
        with running.database.transaction() as session:
            emails = kept.emails(session, clinic_id)
            versions = kept.versions(session, clinic_id, protocol)
            newest = versions[-1].number if versions else 0
            behind = kept.count_behind(session, clinic_id, protocol, newest) if newest else 0
            subject = signoff.subject_of(protocol)
            proposed = [
                (row, kept.approvals(session, row.id))
                for row in kept.proposals(session, clinic_id)
                if row.subject == subject
            ]
    if not versions and not proposed:
        refuse(f'Nothing is known of a protocol "{protocol}" here.')
    rows: list[dict[str, Any]] = [
        {
            "what": "version",
            "number": row.number,
            "at": row.published_at,
            "by": named(row.published_by, emails),
            "restores": row.restores,
            "outcome": "in_force" if row is versions[-1] else "replaced",
            "behind": behind if row is versions[-1] else None,
            "approved_by": None,
            "checksum": row.checksum,
        }
        for row in versions
    ]
    rows += [
        {
            "what": "proposal",
            "number": (row.base_number or 0) + 1,
            "at": row.proposed_at,
            "by": emails.get(row.proposed_by),
            "restores": row.restores,
            "outcome": row.outcome or "waits",
            "behind": None,
            "approved_by": {each: emails.get(staff) for each, staff in approved.items()},
            "checksum": None,
        }
        for row, approved in proposed
    ]
    rows.sort(key=lambda row: row["at"])
    columns = ("what", "number", "at", "by", "restores", "outcome", "behind", "approved_by")
    output.records(rows, as_json=as_json, columns=columns)
    if behind:
        output.say(
            f"Version {newest} is in force, and {_not_yet(behind)}. The workers go on; to do it "
            f"now, publish the same file again, or without it:\n"
            f"  aftercare protocols rollback {protocol} --to {newest}"
        )


class _Publishing:
    """One command's way from a draft to what is in force, told in words or as JSON."""

    def __init__(
        self,
        running: Services,
        price: float | None,
        *,
        everything: bool,
        as_json: bool,
    ) -> None:
        self._running, self._price = running, price
        self._everything, self._as_json = everything, as_json
        #: Who does it, once they gave their password.
        self.person: Staff | None = None

    def go(self, draft: Draft, *, by: str | None, yes: bool, dry_run: bool) -> None:
        """Show, ask, and publish or propose, as whoever `by` is the address of."""
        if by is not None:
            self.person = proven(self._running, draft.clinic_id, by)
        elif not dry_run:
            named_actor()
        if draft.same:
            self._finish(draft, dry_run=dry_run)
            return
        found = self.show(draft)
        if dry_run:
            return
        if draft.safety and not signoff.is_approved(self._running, draft.clinic_id, draft.wanted):
            self._propose(draft, yes=yes)
            return
        effects.confirmed(f"Publish {draft.protocol.id} at {draft.key}?", yes=yes)
        self.put_into_force(draft, found)

    def show(self, draft: Draft) -> Effects:
        """Say what the draft does to live patients, and what is to be known before."""
        found = effects.looked_at(self._running, draft.change)
        price = price_of(draft.change.file, self._price)
        unread = effects.unread(draft.protocol, draft.change.file)
        if self._as_json:
            effects.as_json(found, price)
            for warning in unread:
                output.result(output.json_line({"warning": warning}))
            for change in draft.safety:
                output.result(output.json_line({"safety": change}))
            return found
        number = draft.base_number
        before = f"version {number}" if number else "no version"
        output.result(
            f"{draft.protocol.id} at {draft.key}: {before} is in force; this would be version "
            f"{(number or 0) + 1}."
        )
        if draft.mends:
            output.result("  The version in force can't be read: all of this one counts as new.")
        if not draft.switched_on:
            output.result("  The clinic's file does not name it: add it under protocols.")
        zone = draft.change.file.zone
        effects.in_words(found, price, zone, everything=self._everything, line=output.result)
        for warning in unread:
            output.result(f"  warning: {warning}")
        for change in draft.safety:
            output.result(f"  safety content: {change}")
        return found

    def show_words(self, draft: Draft) -> None:
        """Print what the file says otherwise, and in every language the words it concerns."""
        for line in _edited_lines(draft):
            self.tell({"edited": line}, f"  {line}")
        catalog = words_of(self._running.catalog, draft.change.file)
        own = usual_values(draft.change.file)
        for step in draft.protocol.steps:
            if not (is_safety_step(step) or step.on_answer or step.unanswered):
                continue
            for template in dict.fromkeys(step.templates()):
                for language in draft.languages:
                    try:
                        words = catalog.sample(template, language, own)
                    except MessageError as error:
                        words = str(error)
                    said = {"step": step.id, "template": template, "language": language}
                    self.tell({"words": words, **said}, f"  {step.id} ({language}): {words}")

    def put_into_force(self, draft: Draft, found: Effects) -> None:
        """Publish, and bring everybody to the new version."""
        try:
            number = publishing.publish(self._running, draft, actor=self._actor())
        except MovedOnError as error:
            self._show_anew(draft, error)
        self._roll_out(draft, number)
        texts = {name: count for name, count in found.counts.items() if count}
        listed = ", ".join(f"{count} {name}" for name, count in texts.items()) or "no text changed"
        self.tell(
            {"published": draft.protocol.id, "clinic": draft.key, "version": number, **texts},
            f"{draft.protocol.id}: version {number} is in force at {draft.key} ({listed}).",
        )

    def tell(self, record: dict[str, Any], words: str) -> None:
        """Print one result either way."""
        output.result(output.json_line(record) if self._as_json else words)

    def _finish(self, draft: Draft, *, dry_run: bool) -> None:
        """Go on with what was published before; there is nothing to ask."""
        number = draft.base_number or 0
        if not dry_run:
            number = publishing.publish(self._running, draft, actor=self._actor())
            brought = self._roll_out(draft, number)
            self._tell_already(draft, {"version": number, "brought_up": brought, "behind": 0})
            return
        behind = rollout.behind(self._running, draft.clinic_id, draft.protocol.id, number)
        self._tell_already(draft, {"version": number, "brought_up": 0, "behind": behind})

    def _tell_already(self, draft: Draft, found: dict[str, int]) -> None:
        number, brought, behind = found["version"], found["brought_up"], found["behind"]
        whom = counted(brought, "patient was", "patients were")
        if behind:
            then = f"{_not_yet(behind)}. Run it without --dry-run to go on"
        elif brought:
            then = f"{whom} brought up to it now"
        else:
            then = "everybody follows it"
        name = draft.protocol.id
        self.tell(
            {"published": name, "clinic": draft.key, **found},
            f"{name}: this text is version {number}, in force at {draft.key} already; {then}.",
        )

    def _roll_out(self, draft: Draft, number: int) -> int:
        """Bring everybody to the version; return how many were brought up now."""
        total = 0

        def started(count: int) -> None:
            nonlocal total
            total = count
            on_start(count)

        with effects.progress("Planning patients") as (on_start, on_progress):
            left = rollout.roll_out(
                self._running,
                draft.clinic_id,
                draft.protocol.id,
                number,
                on_start=started,
                on_progress=on_progress,
            )
        if left:
            raise CommandError(
                f"Version {number} is in force, and {_not_yet(left)}. "
                "The workers go on; look at their log for patient_not_planned, and run this again."
            )
        return total

    def _propose(self, draft: Draft, *, yes: bool) -> None:
        if self.person is None:
            raise signoff.NeedsApprovalError(draft.safety)
        effects.confirmed(f"Propose it to the clinicians of {draft.key}?", yes=yes)
        proposal = signoff.propose(
            self._running,
            draft.clinic_id,
            draft.wanted,
            by=self.person,
            restores=draft.restores,
        )
        name = draft.protocol.id
        self.tell(
            {"proposed": name, "clinic": draft.key, "proposal": proposal},
            f"{name}: proposed, and nothing is changed yet. A clinician approves it with\n"
            f"  aftercare protocols approve {name} --clinic {draft.key} --by EMAIL",
        )

    def _show_anew(self, draft: Draft, error: MovedOnError) -> NoReturn:
        """Say what it would do now; whoever reads it decides once more."""
        output.say(str(error))
        name = draft.protocol.id
        fresh = publishing.draft(
            self._running, draft.clinic_id, draft.source, name, restores=draft.restores
        )
        self.show(fresh)
        refuse("Nothing was changed. The above is what it does now: run it again if that is right.")

    def _actor(self) -> str:
        return f"staff:{self.person.id}" if self.person else named_actor()


def _not_yet(left: int) -> str:
    said = counted(left, "patient is", "patients are")
    return f"{said} not planned by it yet"


def started() -> Any:
    """Yield services whose crashpoints a test may arm."""
    return services(crashpoint=crashpoints.crashpoint)


def _clinic_id(running: Services, key: str | None) -> UUID:
    with running.database.transaction() as session:
        return the_clinic(session, key).id


def proven(running: Services, clinic_id: UUID, email: str) -> Staff:
    """Return who gives this address and its password; asked for, or a line of standard input."""
    given = effects.password(email)
    return signoff.proven(running, clinic_id, email=email, password=given)


def waiting(running: Services, clinic_id: UUID, subject: str) -> Proposal:
    """Return the proposal that waits, or end the command."""
    found = signoff.waiting(running, clinic_id, subject)
    if found is None:
        refuse("Nothing waits for an approval here.")
    return found


def unreadable(row: Proposal) -> str:
    """Return which proposal this release can't read: nobody could see what they approve."""
    made = f"{row.proposed_at:%Y-%m-%d %H:%M} UTC"
    return f"The proposal {row.id}, made on {made}, can't be read by this release any more."


def _edited_lines(draft: Draft) -> Iterator[str]:
    """Give the lines of the file that were taken away and put in, with one line around each."""
    before = (draft.current_source or "").splitlines()
    lines = difflib.unified_diff(before, draft.source.splitlines(), n=1, lineterm="")
    return (line for line in lines if not line.startswith(("---", "+++", "@@")))


def named(actor: str, emails: dict[UUID, str]) -> str:
    """Return an address for a staff member's id."""
    known = {f"staff:{one}": email for one, email in emails.items()}
    return known.get(actor, actor)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")
