"""A clinic as its file describes it: created, changed, paused; its senders and its protocols.

Applying a file twice changes nothing the second time; where the first was cut off, it goes on, and
so do the workers. What changes for patients who wait for texts (hours, zone, protocols) asks for a
new plan; wording and phone need none, since rendering happens at the claim (care rule 28).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from messages.errors import LexiconError
from messages.lexicon import lexicon
from records import audit, clinics, enrollments, intake, publishing
from records.base import Session, new_id
from records.clinics import Clinic, Sender, SenderNumber
from records.enrollments import ProtocolVersion
from schedules.clinic import ClinicFile
from worker import enrolling, matching, signoff
from worker.clinicfiles import (
    SHIPPED,
    Change,
    changes_between,
    check_wording,
    checksum,
    moves_texts,
    shipped_sources,
    to_publish,
    wanted_of,
)
from worker.counting import counted
from worker.intake import fasts
from worker.refusal import RefusedError
from worker.services import Services
from worker.signoff import MovedOnError


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a clinic's file did. `published` are (protocol, version).

    `mended`: the settings before could not be read.
    """

    clinic_id: UUID
    key: str
    created: bool
    changes: tuple[Change, ...]
    published: tuple[tuple[str, int], ...]
    moved_texts: int
    enrolled: int
    ended: int
    mended: bool
    #: How many patients were told a shorter fast than now holds, and are called.
    told_shorter: int

    @property
    def changed(self) -> bool:
        """Whether anything was done at all."""
        done = self.changes or self.published or self.enrolled or self.ended
        return self.created or self.mended or bool(done)


class InUseError(RefusedError):
    """A file leaves out protocols that patients follow."""


def apply(
    services: Services,
    file: ClinicFile,
    *,
    actor: str,
    end_running: bool = False,
    seen: str | None = None,
    restores: int | None = None,
) -> Applied:
    """Create or update a clinic. Raises RefusedError, then nothing was changed.

    A protocol that patients follow is left out of the file only with `end_running`, which ends it
    for them; else InUseError says who would be left without texts. Settings that are not those
    `seen` any more raise MovedOnError. Safety content that changes (care rule 28) raises
    NeedsApprovalError until a clinician has approved this very file, once the clinic has one
    or has patients. `restores` is the version that the file brings back.
    """
    check_wording(services.catalog, file)
    _check_words(file)
    with services.database.transaction() as session:
        intake.take_turn(session, f"clinic:{file.id}")
        clinic = intake.lock_clinic(session, file.id)
        created = clinic is None
        before, was_on = clinic.file_if_any if clinic else None, _were_on(session, clinic)
        mended = clinic is not None and clinic.is_broken
        if clinic is not None:
            if not end_running:
                _refuse_in_use(session, clinic.id, was_on, file, services.now)
            _ask_for_approval(session, services, clinic, file, seen)
        if clinic is None:
            clinic = _create(session, file)
        published = _publish(session, clinic, file, services.now)
        changes = () if created else changes_between(services.catalog, before, file)
        moved = _apply_sender(session, clinic, file, services.now)
        if created or changes or published or mended:
            if not created:
                _bring_into_force(clinic, file.to_json(), services.now)
            clinics.keep_version(session, clinic, by=actor, at=services.now, restores=restores)
            _record(session, services, clinic, actor, changes, published, mended=mended)
        if published or mended or moves_texts(changes):
            session.flush()
            enrollments.request_plan_of_clinic(session, clinic.id)
        switched = _switch_by_hand(session, clinic.id, file, was_on, services.now)
        late = _call_who_fasts_too_short(session, clinic, before, file, services.now)
        matching.ask(session, clinic.id)
    services.crashpoint("apply.after_commit")
    switched += matching.match(services, clinic.id)
    return Applied(
        clinic_id=clinic.id,
        key=clinic.key,
        created=created,
        changes=changes,
        published=published,
        moved_texts=moved,
        enrolled=switched["began"],
        ended=switched["ended"],
        mended=mended,
        told_shorter=late,
    )


def _call_who_fasts_too_short(
    session: Session, clinic: Clinic, before: ClinicFile | None, file: ClinicFile, now: datetime
) -> int:
    """Open a call for each patient whose food text went with a shorter fast; return how many."""
    if before is None:
        return 0
    late = fasts.told_shorter(session, clinic.id, before, file, now=now)
    fasts.tell_all(session, late, file, now=now)
    return len(late)


def check_in_use(services: Services, file: ClinicFile) -> None:
    """Raise InUseError where the file leaves out what patients follow; for a look ahead of it."""
    with services.database.transaction() as session:
        clinic = clinics.by_key(session, file.id)
        if clinic is not None:
            was_on = _were_on(session, clinic)
            _refuse_in_use(session, clinic.id, was_on, file, services.now)


def _check_words(file: ClinicFile) -> None:
    """Refuse phrases of the clinic's own that could not be looked for in a reply."""
    try:
        lexicon(file.to_json()["words"])
    except LexiconError as error:
        raise RefusedError(f"words: {error}") from error


def _create(session: Session, file: ClinicFile) -> Clinic:
    clinic = Clinic(id=new_id(), key=file.id, settings=file.to_json(), version=1)
    session.add(clinic)
    session.flush()
    return clinic


def _bring_into_force(clinic: Clinic, settings: dict[str, Any], now: datetime) -> None:
    clinic.settings, clinic.stand_in = settings, None
    clinic.version, clinic.updated_at = clinic.version + 1, now


def _were_on(session: Session, clinic: Clinic | None) -> frozenset[str]:
    """Return the protocols that were switched on before.

    Where no file can be read, all that were ever published: what patients follow is left out only
    on purpose, and what ended does not begin again.
    """
    if clinic is None:
        return frozenset()
    before = clinic.file_if_any
    if before is None:
        return frozenset(enrollments.current_protocols(session, clinic.id))
    return frozenset(before.protocols)


def _refuse_in_use(
    session: Session, clinic_id: UUID, was_on: frozenset[str], file: ClinicFile, now: datetime
) -> None:
    gone = was_on - set(enrolling.switched_on(file))
    used = enrollments.followers(session, clinic_id, gone, now=now)
    if used:
        named = ", ".join(
            f"{name} ({counted(count, 'patient')})" for name, count in sorted(used.items())
        )
        raise InUseError(
            f"protocols: the file leaves out what patients follow: {named}. Keep it, withdraw them "
            "with `aftercare withdraw`, or end it for all of them with --end-running."
        )


def _ask_for_approval(
    session: Session, services: Services, clinic: Clinic, file: ClinicFile, seen: str | None
) -> None:
    """Use up a clinician's approval where safety content changes, once a clinic is set up."""
    wanted = wanted_of(session, services.catalog, clinic, file)
    if seen is not None and wanted.base_settings != seen:
        raise MovedOnError(
            f"The settings of {clinic.key} have changed meanwhile. Nothing was changed; look at "
            "what the file does now."
        )
    if wanted.safety and publishing.waits_for_clinician(session, clinic.id):
        signoff.redeem(session, services, clinic.id, wanted)


def _publish(
    session: Session, clinic: Clinic, file: ClinicFile, now: datetime
) -> tuple[tuple[str, int], ...]:
    """Publish what the file names and the product ships, where its text is not the newest."""
    ours = shipped_sources()
    published = tuple(to_publish(session, clinic, file))
    session.add_all(
        ProtocolVersion(
            id=new_id(),
            clinic_id=clinic.id,
            protocol=name,
            number=number,
            source=ours[name],
            checksum=checksum(ours[name]),
            published_by=SHIPPED,
            published_at=now,
        )
        for name, number in published
    )
    return published


def _apply_sender(session: Session, clinic: Clinic, file: ClinicFile, now: datetime) -> int:
    """Bring sender and numbers to the file; return how many texts went to a new sender."""
    wanted = file.sender
    current = intake.current_sender(session, clinic.id)
    same = current is not None and (
        (current.messaging_service_sid, current.from_number)
        == (wanted.messaging_service_sid, wanted.from_number)
    )
    moved = 0
    if current is None or not same:
        _refuse_taken_sender(session, clinic, file)
        fresh = _new_sender(clinic, file)
        session.add(fresh)
        session.flush()
        if current is not None:
            current.retired_at = now
            moved = intake.move_unsent(session, clinic_id=clinic.id, old=current.id, new=fresh.id)
        current = fresh
    elif current.segments_per_second != wanted.segments_per_second:
        current.segments_per_second = wanted.segments_per_second
    _apply_numbers(session, clinic, file, current)
    return moved


def _new_sender(clinic: Clinic, file: ClinicFile) -> Sender:
    return Sender(
        id=new_id(),
        clinic_id=clinic.id,
        messaging_service_sid=file.sender.messaging_service_sid,
        from_number=file.sender.from_number,
        segments_per_second=file.sender.segments_per_second,
    )


def _refuse_taken_sender(session: Session, clinic: Clinic, file: ClinicFile) -> None:
    taken = intake.senders_with(
        session,
        messaging_service_sid=file.sender.messaging_service_sid,
        from_number=file.sender.from_number,
    )
    for other in taken:
        if other.clinic_id != clinic.id:
            key = clinics.by_id(session, other.clinic_id).key
            raise RefusedError(
                f"The clinic {key} texts from this sender already; a reply could not be told "
                "apart. Give each clinic a messaging service or a number of its own."
            )


def _apply_numbers(session: Session, clinic: Clinic, file: ClinicFile, sender: Sender) -> None:
    """Listen to every number of the file, and go on listening to those it no longer names."""
    rows = {row.number: row for row in intake.numbers_of(session, clinic.id, file.heard_numbers)}
    for number in sorted(file.heard_numbers):
        row = rows.pop(number, None)
        if row is None:
            row = SenderNumber(number=number)
            session.add(row)
        elif row.clinic_id != clinic.id:
            _refuse_taken_number(session, row)
        row.clinic_id, row.sender_id = clinic.id, sender.id
        row.previous = number not in file.sender.numbers
    for row in rows.values():
        row.previous = True


def _refuse_taken_number(session: Session, row: SenderNumber) -> None:
    other = clinics.by_id(session, row.clinic_id)
    theirs = other.file_if_any
    # Of a file that can't be read nobody knows that it gave the number up.
    if theirs is None or row.number in theirs.heard_numbers:
        raise RefusedError(
            f"The clinic {other.key} has the texting number {row.number} in its file. "
            "A number belongs to one clinic: take it out of one of the two files."
        )


def _switch_by_hand(
    session: Session, clinic_id: UUID, file: ClinicFile, before: frozenset[str], now: datetime
) -> Counter[str]:
    """End what hangs on no visit and is not switched on; run again what was switched on just now.

    In one transaction with the settings: afterwards nothing tells what was off before.
    """
    counts: Counter[str] = Counter()
    was_on = {*enrolling.ALWAYS_ON, *before}
    on = enrolling.switched_on(file)
    rows = intake.by_hand_to_switch(session, clinic_id, on=on, new=set(on) - was_on)
    for row in rows:
        ends = row.status == enrolling.ACTIVE
        row.status = enrolling.ENDED if ends else enrolling.ACTIVE
        row.ended_at = now if ends else None
        counts["ended" if ends else "began"] += 1
    session.flush()
    enrollments.request_plan_of_patients(session, {row.patient_id for row in rows})
    return counts


def _record(
    session: Session,
    services: Services,
    clinic: Clinic,
    actor: str,
    changes: Sequence[Change],
    published: Sequence[tuple[str, int]],
    *,
    mended: bool,
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=clinic.id,
        now=services.now,
        actor=actor,
        action="clinic.applied",
        subject=f"clinic:{clinic.id}",
        details={
            "changes": [[each.field, each.before, each.after] for each in changes],
            "published": [f"{name} v{number}" for name, number in published],
            **({"mended": True} if mended else {}),
        },
    )


def pause(
    services: Services, clinic_id: UUID, *, actor: str, until: datetime | None = None
) -> None:
    """Start no texts for a clinic, for now or until an instant; safety replies still go."""
    if until is not None and until <= services.now:
        raise RefusedError("That end has passed already. Give one in the future.")
    _set_pause(services, clinic_id, actor, "clinic.paused", services.now, until)


def unpause(services: Services, clinic_id: UUID, *, actor: str) -> None:
    """Let a clinic's texts go again; what is too late by now expires."""
    _set_pause(services, clinic_id, actor, "clinic.unpaused", None, None)


def _set_pause(
    services: Services,
    clinic_id: UUID,
    actor: str,
    action: str,
    at: datetime | None,
    until: datetime | None,
) -> None:
    with services.database.transaction() as session:
        clinic = clinics.by_id(session, clinic_id)
        clinic.paused_at, clinic.paused_until = at, until
        session.flush()
        intake.release_of_clinic(session, clinic_id)
        audit.record(
            session,
            services.vault,
            clinic_id=clinic_id,
            now=services.now,
            actor=actor,
            action=action,
            subject=f"clinic:{clinic_id}",
            details={"until": until},
        )
