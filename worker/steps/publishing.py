"""A protocol's next version: compared, put into force, and brought back.

A version is a row that never changes. Putting one into force is one short transaction that writes
it, asks that coming visits be matched with it, and marks everybody who follows the protocol; each
patient is then planned by it in one transaction (`worker.rollout`). Killed in between, nothing is
half done for anybody: the marks stand, and the workers or the next run of the same command go on.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from records import audit, clinics, enrollments, intake, publishing
from records.base import Session, new_id
from records.clinics import Clinic
from records.enrollments import ProtocolVersion
from schedules.loader import load
from schedules.protocol import Protocol
from schedules.safety import safety_changes
from worker import enrolling, matching, protocols, signoff
from worker.effects import Change
from worker.intake.table import near
from worker.refusal import RefusedError
from worker.services import Services
from worker.signoff import MovedOnError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version that is not in force, and what it was compared with.

    `base_number` is the newest version of the clinic (None: there is none), `base_settings` tells
    its settings apart. `current` is what that version holds, None where it can't be read: then all
    that the draft holds counts as changed. `safety` names what of it is safety content. `restores`
    is the version that it brings back.
    """

    clinic_id: UUID
    key: str
    protocol: Protocol
    source: str
    base_number: int | None
    base_settings: str
    current: Protocol | None
    current_source: str | None
    same: bool
    safety: tuple[str, ...]
    switched_on: bool
    languages: tuple[str, ...]
    change: Change
    restores: int | None = None

    @property
    def mends(self) -> bool:
        """Whether it takes the place of a version that this release can't read."""
        return self.base_number is not None and self.current is None

    @property
    def wanted(self) -> signoff.Wanted:
        """What a clinician would sign."""
        return signoff.Wanted(
            subject=signoff.subject_of(self.protocol.id),
            source=self.source,
            safety=self.safety,
            base_number=self.base_number,
            base_settings=self.base_settings,
            languages=self.languages,
        )


def draft(
    services: Services, clinic_id: UUID, source: str, name: str, *, restores: int | None = None
) -> Draft:
    """Read a file and compare it with what is in force; writes nothing.

    Raises ProtocolError with every fault of the file, or RefusedError.
    """
    with services.database.transaction() as session:
        clinic = clinics.by_id(session, clinic_id)
        if not clinic.can_be_read:
            raise RefusedError(
                f"Neither the settings of {clinic.key} nor an earlier version of them can be read. "
                "Apply the clinic's file first: `aftercare clinic apply FILE.yaml`."
            )
        file = clinic.file
        protocol = load(source, name, templates=protocols.known_templates(), terms=file.terms)
        versions = enrollments.current_protocols(session, clinic_id)
        newest = versions.get(protocol.id)
        published = protocols.readable(protocols.of_clinic(session, clinic_id))
        settings = signoff.checksum(clinic.settings)
    current = published[protocol.id][0] if protocol.id in published else None
    on = protocol.id in enrolling.switched_on(file)
    if on and not enrolling.is_open(file, protocol):
        raise RefusedError(enrolling.gate_shut(protocol))
    number = newest.number if newest else None
    published[protocol.id] = (protocol, (number or 0) + 1)
    change = Change(clinic_id=clinic_id, file=file, protocols=published, protocol=protocol.id)
    return Draft(
        clinic_id=clinic_id,
        key=clinic.key,
        protocol=protocol,
        source=source,
        base_number=number,
        base_settings=settings,
        current=current,
        current_source=newest.source if newest else None,
        same=newest is not None and newest.source == source,
        safety=safety_changes(current, protocol),
        switched_on=on,
        languages=file.languages,
        change=change,
        restores=restores,
    )


def earlier(services: Services, clinic_id: UUID, name: str, to: int | None) -> ProtocolVersion:
    """Return the version to go back to: the named one, or that before the newest."""
    with services.database.transaction() as session:
        versions = publishing.versions(session, clinic_id, name)
        known = list(enrollments.current_protocols(session, clinic_id))
    if not versions:
        raise RefusedError(f'No protocol "{name}" is published here; {near(name, known)}')
    numbers = {each.number: each for each in versions}
    wanted = versions[-1].number - 1 if to is None else to
    if wanted not in numbers:
        listed = ", ".join(map(str, numbers))
        raise RefusedError(f"There is no version {wanted} of {name}. Its versions are {listed}.")
    return numbers[wanted]


def publish(services: Services, draft: Draft, *, actor: str) -> int:
    """Put a draft into force, and mark whoever follows it to be planned; return its number.

    Raises MovedOnError where the clinic's version or settings are no longer those it was compared
    with, NeedsApprovalError where it changes safety content that no clinician has approved. The
    text that is in force already is not published twice: visits are matched and whoever is not
    planned by it is marked all the same.
    """
    with services.database.transaction() as session:
        intake.take_turn(session, f"clinic:{draft.key}")
        clinic = intake.lock_clinic(session, draft.key)
        if clinic is None:
            raise RefusedError("The clinic is gone.")
        name = draft.protocol.id
        newest = enrollments.current_protocols(session, clinic.id).get(name)
        if newest is not None and newest.source == draft.source:
            number = newest.number
        else:
            _refuse_moved_on(clinic, newest, draft)
            number = _add_version(session, services, clinic, draft, actor)
        publishing.request_plan_of_those_behind(session, clinic.id, name, number)
        matching.ask(session, clinic.id)
        services.crashpoint("publish.before_commit")
    services.crashpoint("publish.after_commit")
    return number


def _refuse_moved_on(clinic: Clinic, newest: ProtocolVersion | None, draft: Draft) -> None:
    number = newest.number if newest else None
    if number != draft.base_number:
        raise MovedOnError(
            f"Somebody else has published {draft.protocol.id} meanwhile: version {number} is in "
            "force. Nothing was changed; look at what it does now."
        )
    if signoff.checksum(clinic.settings) != draft.base_settings:
        raise MovedOnError(
            f"The settings of {draft.key} have changed meanwhile. Nothing was changed; look at "
            "what it does now."
        )


def _add_version(
    session: Session, services: Services, clinic: Clinic, draft: Draft, actor: str
) -> int:
    name = draft.protocol.id
    if draft.safety:
        signoff.redeem(session, services, clinic.id, draft.wanted)
    number = (draft.base_number or 0) + 1
    session.add(
        ProtocolVersion(
            id=new_id(),
            clinic_id=clinic.id,
            protocol=name,
            number=number,
            source=draft.source,
            checksum=hashlib.sha256(draft.source.encode()).hexdigest(),
            published_by=actor,
            published_at=services.now,
            restores=draft.restores,
        )
    )
    session.flush()
    audit.record(
        session,
        services.vault,
        clinic_id=clinic.id,
        now=services.now,
        actor=actor,
        action="protocol.published",
        subject=f"protocol:{name}",
        details={"version": number, "restores": draft.restores, "safety": list(draft.safety)},
    )
    return number
