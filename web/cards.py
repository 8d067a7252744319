"""The card for whoever is paged at 02:00: what they need beside the words (care rule 15)."""

from collections.abc import Mapping
from typing import Any

from records import casework, patients, scores
from records.base import Session
from records.worklist import ListedFollowUp
from worker.services import Services

_SCORES_SHOWN = 6
_SHOWN = (
    "substances",
    "medicines",
    "safe_hours",
    "voicemail_ok",
    "interpreter",
    "emergency_contact",
)


def of(session: Session, services: Services, item: ListedFollowUp) -> Mapping[str, Any]:
    """Return what whoever was paged needs beside the words (care rule 15); empty for nobody."""
    if item.patient_uuid is None:
        return {}
    who = casework.patient_of(session, item.clinic_uuid, item.patient_uuid)
    if who is None:
        return {}
    profile = patients.profile(services.vault, who)
    series = scores.series(session, who.id)
    doses = [mark for mark in series if mark.kind == "dose"]
    answers = [mark for mark in series if mark.kind == "answer" and mark.status == "answered"]
    return {
        "phone": patients.opened(services.vault, who, "phone"),
        "language": who.language,
        "details": {name: profile[name] for name in _SHOWN if profile.get(name)},
        "last_dose": doses[-1] if doses else None,
        "scores": answers[-_SCORES_SHOWN:],
    }
