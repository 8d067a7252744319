"""The second person: safety content goes into force once a clinician has approved it (rule 28).

Who proposes and who approves each give their password; they are never the same. An approval is for
a language: every language of the clinic needs one, by one clinician or by several.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from records import audit, clinics, publishing
from records.base import Session, new_id
from records.clinics import Clinic, Staff
from records.publishing import CLINIC_FILE, Proposal, ProposalApproval
from worker import passwords
from worker.refusal import RefusedError
from worker.services import Services

CLINICIAN, VIEWER = "clinician", "viewer"


class NeedsApprovalError(RefusedError):
    """Safety content would change, and no clinician has approved it. `safety` names the changes."""

    def __init__(self, safety: Sequence[str]) -> None:
        """Keep what would change."""
        self.safety = tuple(safety)
        listed = "".join(f"\n  {each}" for each in safety)
        super().__init__(
            f"This changes safety content:{listed}\nA second person, a clinician, has to approve "
            "it. Say who proposes it with --by EMAIL. A clinic that has no clinician adds one "
            "first: `aftercare staff add EMAIL --role clinician`."
        )


class MovedOnError(RefusedError):
    """What a change was compared with is no longer in force; it must be looked at anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A proposal and which languages still wait for a clinician."""

    proposal: Proposal
    approved: Mapping[str, UUID]
    waits: tuple[str, ...]


def subject_of(protocol: str) -> str:
    """Return the subject of proposals that are about a protocol."""
    return f"protocol:{protocol}"


def checksum(settings: Mapping[str, Any]) -> str:
    """Return what a clinic's settings are told apart by."""
    plain = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def proven(services: Services, clinic_id: UUID, *, email: str, password: str) -> Staff:
    """Return who signs in at this clinic with this address and password. Raises RefusedError."""
    with services.database.transaction() as session:
        found = [
            each
            for each in clinics.staff_by_email(session, email)
            if each.clinic_id == clinic_id and each.disabled_at is None
        ]
    if not passwords.matches(found[0].password_hash if found else None, password):
        raise RefusedError("That address and password do not fit at this clinic. Check both.")
    return found[0]


def propose(
    services: Services,
    clinic_id: UUID,
    *,
    subject: str,
    source: str,
    safety: Sequence[str],
    base_number: int | None,
    base_settings: str,
    by: Staff,
    restores: int | None = None,
    end_running: bool = False,
) -> UUID:
    """Keep a proposal; one that waits for the same subject is superseded. Returns its id."""
    if by.role == VIEWER:
        raise RefusedError("A viewer changes nothing. Let a colleague propose it.")
    with services.database.transaction() as session:
        earlier = publishing.open_proposal(session, clinic_id, subject)
        if earlier is not None and (earlier.source, earlier.base_number) == (source, base_number):
            return earlier.id
        if earlier is not None:
            _close(session, services, earlier, "superseded", by)
        proposal = Proposal(
            id=new_id(),
            clinic_id=clinic_id,
            subject=subject,
            source=source,
            safety=list(safety),
            base_number=base_number,
            base_settings=base_settings,
            restores=restores,
            end_running=end_running,
            proposed_by=by.id,
            proposed_at=services.now,
        )
        session.add(proposal)
        session.flush()
        _record(session, services, proposal, by, "proposed", {"safety": list(safety)})
        return proposal.id


def approve(
    services: Services,
    clinic_id: UUID,
    *,
    subject: str,
    proposal_id: UUID,
    by: Staff,
    languages: Collection[str] = (),
) -> Standing:
    """Note a clinician's approval, for these languages or for all that the clinic uses.

    `proposal_id` is the one that this person was shown. Raises RefusedError where nothing waits or
    where this person may not approve it, MovedOnError where another proposal took its place.
    """
    with services.database.transaction() as session:
        proposal = _as_shown(session, clinic_id, subject, proposal_id)
        if by.role != CLINICIAN:
            raise RefusedError("Only a clinician approves safety content.")
        if by.id == proposal.proposed_by:
            raise RefusedError("You proposed this yourself; another clinician has to approve it.")
        used = clinics.by_id(session, clinic_id).file.languages
        unknown = set(languages) - set(used)
        if unknown:
            raise RefusedError(f"The clinic's languages are {', '.join(used)}.")
        known = publishing.approvals(session, proposal.id)
        fresh = [one for one in used if one in (languages or used) and one not in known]
        for language in fresh:
            session.add(
                ProposalApproval(
                    id=new_id(),
                    clinic_id=clinic_id,
                    proposal_id=proposal.id,
                    staff_id=by.id,
                    language=language,
                    at=services.now,
                )
            )
        session.flush()
        if fresh:
            _record(session, services, proposal, by, "approved", {"languages": fresh})
        return _standing(session, proposal, used)


def reject(
    services: Services,
    clinic_id: UUID,
    *,
    subject: str,
    proposal_id: UUID,
    by: Staff,
    why: str,
) -> None:
    """End a proposal that must not go into force; refused as an approval is."""
    with services.database.transaction() as session:
        proposal = _as_shown(session, clinic_id, subject, proposal_id)
        if by.role != CLINICIAN and by.id != proposal.proposed_by:
            raise RefusedError("A clinician rejects a proposal, or who made it takes it back.")
        _close(session, services, proposal, "rejected", by, {"why": why})


def _as_shown(session: Session, clinic_id: UUID, subject: str, proposal_id: UUID) -> Proposal:
    """Return the open proposal, locked, if it is the one that somebody read before they signed."""
    proposal = publishing.open_proposal(session, clinic_id, subject)
    if proposal is None:
        raise RefusedError("Nothing waits for an approval here.")
    if proposal.id != proposal_id:
        raise MovedOnError(
            "Another proposal has taken the place of the one that you were shown. Nothing was "
            "changed; run the command again and read what waits now."
        )
    return proposal


def waiting(services: Services, clinic_id: UUID, subject: str) -> Standing | None:
    """Return the proposal that waits, and for what."""
    with services.database.transaction() as session:
        proposal = publishing.open_proposal(session, clinic_id, subject)
        if proposal is None:
            return None
        return _standing(session, proposal, clinics.by_id(session, clinic_id).file.languages)


def redeem(
    session: Session,
    services: Services,
    clinic: Clinic,
    *,
    subject: str,
    source: str,
    safety: Sequence[str],
    base_number: int | None = None,
    languages: Sequence[str],
) -> None:
    """Use up the approval of exactly this content, or raise NeedsApprovalError.

    The languages are those that will be in use: one that comes with the change counts too.
    """
    proposal = publishing.open_proposal(session, clinic.id, subject)
    if proposal is None or proposal.source != source or proposal.base_number != base_number:
        raise NeedsApprovalError(safety)
    if subject == CLINIC_FILE and proposal.base_settings != checksum(clinic.settings):
        raise NeedsApprovalError(safety)
    if _standing(session, proposal, [*clinic.file.languages, *languages]).waits:
        raise NeedsApprovalError(safety)
    proposal.closed_at, proposal.outcome = services.now, "in_force"
    session.flush()


def _standing(session: Session, proposal: Proposal, languages: Sequence[str]) -> Standing:
    approved = publishing.approvals(session, proposal.id)
    waits = tuple(dict.fromkeys(one for one in languages if one not in approved))
    return Standing(proposal=proposal, approved=approved, waits=waits)


def _close(
    session: Session,
    services: Services,
    proposal: Proposal,
    outcome: str,
    by: Staff,
    details: Mapping[str, Any] | None = None,
) -> None:
    proposal.closed_at, proposal.outcome = services.now, outcome
    session.flush()
    _record(session, services, proposal, by, outcome, details or {})


def _record(
    session: Session,
    services: Services,
    proposal: Proposal,
    by: Staff,
    action: str,
    details: Mapping[str, Any],
) -> None:
    audit.record(
        session,
        services.vault,
        clinic_id=proposal.clinic_id,
        now=services.now,
        actor=f"staff:{by.id}",
        action=f"proposal.{action}",
        subject=f"proposal:{proposal.id}",
        details={"about": proposal.subject, **details},
    )
