"""The second person: safety content goes into force once a clinician has approved it (rule 28).

Who proposes and who approves each give their password; they are never the same. An approval is for
a language: every language of the clinic, and of the words that change, needs one, by one clinician
or by several.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from records import audit, clinics, publishing
from records.base import Session, new_id
from records.clinics import Staff
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
class Wanted:
    """What would come into force, as it is read before somebody signs.

    `safety` names the changes; `base_number` and `base_settings` tell apart what it was compared
    with; `languages` are those of which each needs an approval.
    """

    subject: str
    source: str
    safety: tuple[str, ...]
    base_number: int | None
    base_settings: str
    languages: tuple[str, ...]

    def is_proposed_by(self, proposal: Proposal) -> bool:
        """Whether a proposal is of exactly this, so that who signed it was shown all of it.

        What a protocol holds does not hang on the clinic's settings.
        """
        return (
            (proposal.subject, proposal.source) == (self.subject, self.source)
            and proposal.safety == list(self.safety)
            and proposal.base_number == self.base_number
            and (self.subject != CLINIC_FILE or proposal.base_settings == self.base_settings)
        )


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
    wanted: Wanted,
    *,
    by: Staff,
    restores: int | None = None,
    end_running: bool = False,
) -> UUID:
    """Keep a proposal; one that waits for the same subject is superseded. Returns its id."""
    if by.role == VIEWER:
        raise RefusedError("A viewer changes nothing. Let a colleague propose it.")
    with services.database.transaction() as session:
        earlier = publishing.open_proposal(session, clinic_id, wanted.subject)
        if earlier is not None:
            how = (earlier.restores, earlier.end_running)
            if wanted.is_proposed_by(earlier) and how == (restores, end_running):
                return earlier.id
            _close(session, services, earlier, "superseded", by)
        proposal = Proposal(
            id=new_id(),
            clinic_id=clinic_id,
            subject=wanted.subject,
            source=wanted.source,
            safety=list(wanted.safety),
            base_number=wanted.base_number,
            base_settings=wanted.base_settings,
            restores=restores,
            end_running=end_running,
            proposed_by=by.id,
            proposed_at=services.now,
        )
        session.add(proposal)
        session.flush()
        _record(session, services, proposal, by, "proposed", {"safety": proposal.safety})
        return proposal.id


def approve(
    services: Services,
    clinic_id: UUID,
    wanted: Wanted,
    *,
    proposal_id: UUID,
    by: Staff,
    languages: Collection[str] = (),
) -> Standing:
    """Note a clinician's approval, for these languages or for all that it needs.

    `proposal_id` and `wanted` are what this person was shown. Raises RefusedError where nothing
    waits or where this person may not approve it, MovedOnError where another proposal took its
    place or it would change something else by now.
    """
    with services.database.transaction() as session:
        proposal = _as_shown(session, clinic_id, wanted.subject, proposal_id)
        if not wanted.is_proposed_by(proposal):
            raise MovedOnError(
                "It changes something else by now than was proposed. Propose it anew."
            )
        if by.role != CLINICIAN:
            raise RefusedError("Only a clinician approves safety content.")
        if by.id == proposal.proposed_by:
            raise RefusedError("You proposed this yourself; another clinician has to approve it.")
        if set(languages) - set(wanted.languages):
            raise RefusedError(f"Its languages are {', '.join(wanted.languages)}.")
        known = publishing.approvals(session, proposal.id)
        asked = languages or wanted.languages
        fresh = [one for one in wanted.languages if one in asked and one not in known]
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
        return _standing(session, proposal, wanted)


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


def waiting(services: Services, clinic_id: UUID, subject: str) -> Proposal | None:
    """Return the proposal that waits."""
    with services.database.transaction() as session:
        return publishing.open_proposal(session, clinic_id, subject)


def is_approved(services: Services, clinic_id: UUID, wanted: Wanted) -> bool:
    """Whether exactly this was approved, and somebody was stopped before it came into force."""
    with services.database.transaction() as session:
        return _approved(session, clinic_id, wanted) is not None


def redeem(session: Session, services: Services, clinic_id: UUID, wanted: Wanted) -> None:
    """Use up the approval of exactly this content, or raise NeedsApprovalError."""
    proposal = _approved(session, clinic_id, wanted)
    if proposal is None:
        raise NeedsApprovalError(wanted.safety)
    proposal.closed_at, proposal.outcome = services.now, "in_force"
    session.flush()


def _approved(session: Session, clinic_id: UUID, wanted: Wanted) -> Proposal | None:
    proposal = publishing.open_proposal(session, clinic_id, wanted.subject)
    if proposal is None or not wanted.is_proposed_by(proposal):
        return None
    return None if _standing(session, proposal, wanted).waits else proposal


def _standing(session: Session, proposal: Proposal, wanted: Wanted) -> Standing:
    approved = publishing.approvals(session, proposal.id)
    waits = tuple(one for one in wanted.languages if one not in approved)
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
