"""The card for whoever is paged at 02:00: what they need beside the words (care rule 15)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from babel import Locale

from records import casework, clinics, patients, scores
from records.base import Session
from records.worklist import ListedFollowUp
from worker import protocols
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
# "No" is an answer: that no voicemail may be left has to be seen.
_UNKNOWN: tuple[object, ...] = (None, "", [])


def _plain(value: object) -> str:
    """Give what is kept as somebody would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _shown(dose: scores.Mark, session: Session, item: ListedFollowUp) -> scores.Mark:
    """Give a dose with its route in the words that staff read."""
    terms = clinics.by_id(session, item.clinic_uuid).file.terms
    return replace(dose, route=terms.route_shown(dose.route)) if dose.route else dose


def of(session: Session, services: Services, item: ListedFollowUp) -> Mapping[str, Any]:
    """Return what whoever was paged needs beside the words (care rule 15); empty for nobody."""
    if item.patient_uuid is None:
        return {}
    who = casework.patient_of(session, item.clinic_uuid, item.patient_uuid)
    if who is None:
        return {}
    profile = patients.profile(services.vault, who)
    worse = protocols.direction_of(session, who.clinic_id)
    series = scores.series(session, who.id, worse=worse)
    doses = [mark for mark in series if mark.kind == "dose"]
    answers = [mark for mark in series if mark.kind == "answer" and mark.status == "answered"]
    return {
        "phone": patients.opened(services.vault, who, "phone"),
        "language": Locale(who.language).get_display_name("en"),
        "details": {
            name: _plain(profile[name]) for name in _SHOWN if profile.get(name) not in _UNKNOWN
        },
        "last_dose": _shown(doses[-1], session, item) if doses else None,
        "scores": answers[-_SCORES_SHOWN:],
    }
