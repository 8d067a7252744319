"""The form by which a patient is taken in: who they are, how to text them, what they agreed to.

It brings about what a line of `patients.csv` would (care rule 26), and leads to the first two weeks
of texts. A form that is refused comes back as it was filled in, with what to mend at each field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from records import clinics
from schedules.clinic import ClinicFile
from schedules.protocol import Protocol
from schedules.windows import US_ZONES
from web.consent import PURPOSE, languages, only_looks, wordings
from web.console import show
from web.sessions import OwnForm, Person, SignedIn, keep_notice, services_of
from web.typed import named, typed
from worker import enrolling, protocols
from worker.intake import form
from worker.intake.patients import PURPOSES
from worker.intake.table import RowFault
from worker.services import Services
from worker.steps import intake

router = APIRouter(include_in_schema=False)

ADDRESS = "/patients/new"
#: Of each column, which field of the form it is about, and what that is called there.
_FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "patient_id": ("patient_id", "Patient id"),
        "first_name": ("first_name", "First name"),
        "phone": ("phone", "Mobile number"),
        "language": ("language", "Language of texts"),
        "interpreter": ("interpreter", "Interpreter"),
        "timezone": ("timezone", "Time zone"),
        "safe_hours": ("safe_from", "Safe hours"),
        "phone_shared": ("phone_shared", "Shared phone"),
        "shared_opt_in": ("shared_opt_in", "Questions on a shared phone"),
        "voicemail_ok": ("voicemail_ok", "Voicemail"),
        "emergency_contact": ("emergency_contact", "Emergency contact"),
        "care_team": ("care_team", "Care team"),
        "substances": ("other_substances", "Treated for"),
        "quit_date": ("quit_date", "Day on which they stop"),
        "consent_method": ("method-paper", "How they agreed"),
        "consented_at": ("consented_at", "When they agreed"),
        "consent_purposes": ("purpose-visits", "What they agreed to"),
        "sms_risk_ack": ("sms_risk_ack", "The risk"),
        "consent_version": ("consent_version", "Form of your own"),
        "check_in_time": ("check_in_time", "Hour for check-ins"),
        "protocols": ("follows", "Protocols"),
    }
)
#: Fields that say in their own words what their column says.
_PLAIN = (
    *("patient_id", "first_name", "phone", "language", "timezone", "safe_from", "safe_until"),
    *("voicemail_ok", "emergency_contact", "care_team", "quit_date", "check_in_time"),
    *("consent_method", "consented_at", "consent_version"),
)
_SUBSTANCE, _FOLLOWS = "substance-", "follows-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mend:
    """A fault as the page shows it: at which field, how that is called, and what to do."""

    column: str
    field: str
    label: str
    reason: str


@router.get(ADDRESS, name="new_patient")
def new_patient(request: Request, person: SignedIn) -> Response:
    """Show the empty form."""
    if not person.may_act:
        return only_looks(request, person)
    services = services_of(request)
    now = services.now.astimezone(person.zone)
    filled = {"timezone": person.zone.key, "consented_at": f"{now:%Y-%m-%dT%H:%M}"}
    return _form(request, person, filled)


@router.post(ADDRESS, dependencies=[OwnForm])
def take_in(request: Request, person: SignedIn) -> Response:
    """Take the patient in and show what they will be texted, or the form with what to mend."""
    if not person.may_act:
        return only_looks(request, person)
    fields = typed(request)
    done = intake.take_in(
        services_of(request),
        person.clinic_id,
        _told(fields),
        follows=named(fields, _FOLLOWS),
        actor=person.actor.label,
    )
    if done.faults:
        return _form(request, person, fields, done.faults, known=done.patient_id)
    keep_notice(request, "This form was saved already." if done.again else "Saved.")
    return RedirectResponse(f"/patients/{done.patient_id}/texts", status_code=303)


def _told(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what was filled in, by the columns of a file."""
    told = {name: fields[name] for name in _PLAIN}
    told["consent_purposes"] = ";".join(named(fields, PURPOSE))
    substances = [*named(fields, _SUBSTANCE), fields["other_substances"].strip()]
    told["substances"] = ";".join(filter(None, substances))
    for name in ("phone_shared", "sms_risk_ack"):
        told[name] = "yes" if fields[name] else "no"
    for name in ("interpreter", "shared_opt_in"):
        told[name] = "yes" if fields[name] else ""
    return told


def _form(
    request: Request,
    person: Person,
    filled: Mapping[str, str],
    faults: tuple[RowFault, ...] = (),
    *,
    known: UUID | None = None,
) -> Response:
    file, offered = _clinic(services_of(request), person)
    mends = [_mend(fault) for fault in faults]
    values = {
        "filled": filled,
        "mends": sorted(mends, key=lambda each: list(_FIELDS).index(each.column)),
        "faults": {each.column: each.reason for each in mends},
        "known": known,
        "languages": languages(file),
        "zones": dict.fromkeys((file.timezone, *US_ZONES)),
        "substances": file.terms.substances,
        "purposes": PURPOSES,
        "methods": form.METHODS,
        "not_yet": form.NOT_YET,
        "offered": offered,
        "wordings": wordings(file),
        "warned": file.require_sms_risk_ack,
    }
    return show(request, person, "new_patient.html", values, status=422 if faults else 200)


def _mend(fault: RowFault) -> _Mend:
    column = fault.column or "patient_id"
    field, label = _FIELDS[column]
    return _Mend(column=column, field=field, label=label, reason=fault.reason)


def _clinic(services: Services, person: Person) -> tuple[ClinicFile, list[Protocol]]:
    """Return the clinic's file, and what a patient can be enrolled in by hand there."""
    with services.database.transaction() as session:
        file = clinics.by_id(session, person.clinic_id).file
        return file, enrolling.offered(file, protocols.of_clinic(session, person.clinic_id))
