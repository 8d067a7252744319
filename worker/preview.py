"""What a patient will be texted: the planner's answer in words, with nothing written or sent.

The same facts, the same planner and the same rendering as the plan and send steps use, so that
whoever configures a schedule sees exactly what will go, and why something will not. Somebody real
is read from the database; somebody imagined needs none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from messages.errors import MessageError
from messages.templates import Catalog
from records import appointments, enrollments, planning, sending
from records import patients as people
from records.appointments import Appointment
from records.base import Session
from records.patients import Patient
from schedules.clinic import ClinicFile
from schedules.explaining import ClockChange, clock_change_of, clock_changes, own_minute
from schedules.facts import AppointmentFacts, EnrollmentFacts, PatientFacts, PlannedText
from schedules.moments import frame_of
from schedules.protocol import Protocol
from schedules.reasons import SkipReason
from schedules.telling import telling
from worker import facts
from worker.costs import Price, price_of
from worker.facts import ClinicContext, PatientContext
from worker.foresight import Foreseen, Person, foresee
from worker.reasons import why
from worker.rendering import Rendered, Subject, details_of, render
from worker.services import Services

_IMAGINED = "preview"
PLANNED, SKIPPED, CONDITIONAL = "planned", "skipped", "conditional"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedText:
    """One text as it would go, or the reason why it would not.

    `local_time` is `due_at` by the patient's clock. `status` is `planned`, `skipped`, `conditional`
    (then `condition` says on what), or that of the row if an attempt was made. `own_minute` is what
    the protocol asks for where the text goes at another. `body` is None where the text can't be
    written yet; `problem` then says why. `clock_change` is set where one is felt.
    `tells_stop`: its words say how to stop and whom to call (care rule 30).
    """

    protocol: str
    step: str
    occurrence: str
    appointment_id: str | None
    due_at: datetime
    local_time: datetime
    latest_at: datetime
    own_minute: datetime | None
    template: str
    purpose: str
    importance: str
    language: str | None
    status: str
    condition: str | None
    reason: str | None
    why: str | None
    clock_change: str | None
    segments: int | None
    cost: Decimal | None
    tells_stop: bool
    body: str | None = field(repr=False)
    problem: str | None

    @property
    def explained(self) -> str:
        """Everything that is to be said of why and when it goes."""
        return " ".join(each for each in (self.condition, self.why, self.clock_change) if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A patient's texts over a period, with what is to be known about all of them.

    `imagined` are the visits of somebody imagined: what the texts say is of them.
    """

    texts: Sequence[PreviewedText]
    first: datetime
    days: int
    zone: ZoneInfo
    zone_is_known: bool
    changes: Sequence[ClockChange]
    price: Price
    imagined: Sequence["ImaginedVisit"] = ()

    def segments(self, *statuses: str) -> int:
        """Return how many segments the texts of these statuses have."""
        return sum(one.segments or 0 for one in self.texts if one.status in statuses)

    def count(self, *statuses: str) -> int:
        """Return how many texts have one of these statuses."""
        return sum(one.status in statuses for one in self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImaginedVisit:
    """A visit that nobody booked, to see what its protocols would text."""

    kind: str
    starts_at: datetime
    route: str | None = None
    setting: str | None = None
    length: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Somebody imagined: agreed to everything, number proved, and on these protocols."""

    language: str
    zone: ZoneInfo
    protocols: Sequence[Protocol]
    visits: Sequence[ImaginedVisit] = ()
    check_in_time: time | None = None
    quit_date: datetime | None = None
    substances: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a text says of the visit it is about. One imagined has neither a place nor a link."""

    starts_at: datetime
    route: str | None
    external_id: str | None = None
    virtual: bool = False
    details: Callable[[], Mapping[str, object]] = dict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What the texts of one patient are written from."""

    catalog: Catalog
    file: ClinicFile
    person: Person
    language: str
    timezone: str | None
    tag: str | None
    places: Mapping[str, _Place]
    went: Mapping[tuple[str, str, str], str]
    #: When they were last told how to stop; None: never.
    told_at: datetime | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone or self.file.timezone)


def preview(
    services: Services,
    patient_id: UUID,
    *,
    at: datetime,
    days: int,
    protocol: Protocol | None = None,
    price: float | None = None,
) -> Calendar:
    """Return a patient's texts from `at` on for so many days, as if it were `at` now.

    With `protocol` only that one is looked at, as if the patient (or each matching visit) followed
    it: an unpublished file can be tried on real people.
    """
    with services.database.transaction() as session:
        clinic, context = facts.of_patient(session, services, patient_id, now=at)
        row = people.by_id(session, patient_id)
        visits = {
            each.id: (each, facts.visit_facts(each))
            for each in appointments.of_patients(session, [patient_id])
        }
        if context is not None:
            visits |= context.visits
        enrolled = [each for _, each in context.enrollments] if context else []
        known = [each for _, each in visits.values()]
        if protocol is not None:
            zone = ZoneInfo(row.timezone or clinic.file.timezone)
            enrolled = _imagined(protocol, known, zone, at)
        person = Person(
            facts=_patient_facts(session, services, row, clinic, context),
            clinic=clinic.facts,
            enrolled=enrolled,
            visits=known,
            asked=context.asked if context else (),
            sent=context.sent if context else (),
        )
        scene = _Scene(
            catalog=services.catalog,
            file=clinic.file,
            person=person,
            language=row.language,
            timezone=row.timezone,
            tag=services.vault.open("patient", "tag", row.id, row.tag) if row.tag else None,
            places={str(key): _place(services, visit) for key, (visit, _) in visits.items()},
            went=_went(session, patient_id, at),
            told_at=sending.told_to_stop(session, [patient_id], now=at).get(patient_id),
        )
    return _calendar(scene, at=at, days=days, price=price)


def preview_sample(
    catalog: Catalog,
    file: ClinicFile,
    sample: Sample,
    *,
    at: datetime,
    days: int,
    price: float | None = None,
) -> Calendar:
    """Return the texts of somebody imagined at a clinic, as if it were `at` now. Reads no row."""
    visits = [
        AppointmentFacts(
            id=f"{number}",
            kind=each.kind,
            route=each.route,
            setting=each.setting,
            starts_at=each.starts_at,
            ends_at=each.starts_at + each.length,
            booked_at=at,
        )
        for number, each in enumerate(sample.visits, start=1)
    ]
    enrolled = [
        one for protocol in sample.protocols for one in _imagined(protocol, visits, sample.zone, at)
    ]
    quit_date = sample.quit_date.astimezone(sample.zone).date() if sample.quit_date else None
    person = Person(
        facts=PatientFacts(
            id=_IMAGINED,
            language=sample.language,
            zone=sample.zone,
            purposes=frozenset({"visits", "check_ins", "health_questions"}),
            check_in_time=sample.check_in_time,
            quit_date=quit_date,
            substances=sample.substances,
        ),
        clinic=facts.clinic_facts(file),
        enrolled=enrolled,
        visits=visits,
    )
    places = {each.id: _Place(starts_at=each.starts_at, route=each.route) for each in visits}
    scene = _Scene(
        catalog=catalog,
        file=file,
        person=person,
        language=sample.language,
        timezone=sample.zone.key,
        tag=None,
        places=places,
        went={},
        # Whoever proved their number was welcomed.
        told_at=at,
    )
    return replace(_calendar(scene, at=at, days=days, price=price), imagined=sample.visits)


def _place(services: Services, visit: Appointment) -> _Place:
    def details() -> Mapping[str, object]:
        return details_of(
            services.vault.open("appointment", "details", visit.id, visit.details)
            if visit.details
            else None
        )

    return _Place(
        external_id=visit.external_id,
        starts_at=visit.starts_at,
        virtual=visit.modality == "virtual",
        route=visit.route,
        details=details,
    )


def _patient_facts(
    session: Session,
    services: Services,
    person: Patient,
    clinic: ClinicContext,
    context: PatientContext | None,
) -> PatientFacts:
    if context is not None:
        return context.facts
    return facts.patient_facts(
        services,
        person,
        clinic=clinic.facts,
        terms=clinic.file.terms,
        standing=planning.standings(session, [person.id])[person.id],
    )


def _went(session: Session, patient_id: UUID, at: datetime) -> dict[tuple[str, str, str], str]:
    """Return the status of each occurrence that an attempt was made for."""
    ids = [row.id for row in enrollments.of_patient(session, patient_id)]
    rows = planning.known_rows(session, ids, since=at - timedelta(days=1))
    return {
        (str(row.enrollment_id), row.step, row.occurrence): row.status
        for row in sorted(rows, key=lambda row: row.round)
        if row.attempts
    }


def _imagined(
    protocol: Protocol, visits: Sequence[AppointmentFacts], zone: ZoneInfo, at: datetime
) -> list[EnrollmentFacts]:
    if protocol.visits is None:
        day = at.astimezone(zone).date()
        name = f"{_IMAGINED}:{protocol.id}"
        one = EnrollmentFacts(id=name, protocol=protocol, enrolled_at=at, anchor_day=day)
        return [one]
    return [
        EnrollmentFacts(
            id=f"{_IMAGINED}:{protocol.id}:{visit.id}",
            protocol=protocol,
            enrolled_at=min(at, visit.booked_at),
            appointment=visit,
        )
        for visit in visits
        if protocol.visits.matches(visit.kind, visit.route, visit.setting)
    ]


def _calendar(scene: _Scene, *, at: datetime, days: int, price: float | None) -> Calendar:
    """Write every text, with its reasons, its cost, and the clock changes of its week."""
    found = foresee(scene.person, at=at, days=days)
    first = at.astimezone(scene.zone).date()
    zones = dict.fromkeys([scene.zone, scene.file.zone])
    changes = [change for zone in zones for change in clock_changes(zone, first, days)]
    asked = price_of(scene.file, price)
    everything = [one.text for one in found]
    shown = []
    for one in found:
        text = _previewed(scene, one, everything, changes, asked, at)
        shown.append(text)
        if text.tells_stop and text.status == PLANNED:
            # What is conditional may not go: what follows then tells them instead.
            scene = replace(scene, told_at=text.due_at)
    return Calendar(
        texts=[one for one in shown if _is_of_interest(one, at)],
        first=at,
        days=days,
        zone=scene.zone,
        zone_is_known=scene.timezone is not None,
        changes=changes,
        price=asked,
    )


def _is_of_interest(text: PreviewedText, at: datetime) -> bool:
    """Leave out what is over; but not what was over when its visit became known: it is missed."""
    if text.due_at >= at or text.status in (PLANNED, CONDITIONAL):
        return True
    return text.status == SKIPPED and text.reason == SkipReason.LATE_BOOKING


def _previewed(
    scene: _Scene,
    foreseen: Foreseen,
    texts: Sequence[PlannedText],
    changes: Sequence[ClockChange],
    price: Price,
    at: datetime,
) -> PreviewedText:
    text, enrollment = foreseen.text, foreseen.enrollment
    place = scene.places.get(enrollment.appointment.id) if enrollment.appointment else None
    rendered, problem = _written(scene, foreseen, place)
    local = text.due_at.astimezone(scene.zone)
    frame = frame_of(enrollment, scene.person.facts, scene.person.clinic, at, scene.person.visits)
    own = own_minute(frame, text, texts)
    own = None if own == text.due_at else own
    change = clock_change_of(frame, text, texts, changes)
    reason = text.skip_reason or text.moved_reason
    return PreviewedText(
        protocol=enrollment.protocol.id,
        step=text.step,
        occurrence=text.occurrence,
        appointment_id=place.external_id if place else None,
        due_at=text.due_at,
        local_time=local,
        latest_at=text.latest_at,
        own_minute=own,
        template=text.template,
        purpose=text.purpose.value,
        importance=text.importance.value,
        language=rendered.language if rendered else None,
        status=_status(scene, foreseen),
        condition=foreseen.condition,
        reason=reason.value if reason else None,
        why=why(text, texts, own, scene.zone),
        clock_change=str(change) if change else None,
        segments=rendered.segments if rendered else None,
        cost=price.of(rendered.segments) if rendered and text.skip_reason is None else None,
        tells_stop=rendered is not None and rendered.tells_stop,
        body=rendered.body if rendered else None,
        problem=problem,
    )


def _status(scene: _Scene, foreseen: Foreseen) -> str:
    text = foreseen.text
    went = scene.went.get((text.enrollment_id, text.step, text.occurrence))
    if went is not None:
        return went
    if text.skip_reason is not None:
        return SKIPPED
    return PLANNED if foreseen.condition is None else CONDITIONAL


def _written(
    scene: _Scene, foreseen: Foreseen, place: _Place | None
) -> tuple[Rendered | None, str | None]:
    """Return the words, or why there are none."""
    try:
        return _rendered(scene, foreseen, place), None
    except MessageError as error:
        return None, str(error)


def _rendered(scene: _Scene, foreseen: Foreseen, place: _Place | None) -> Rendered:
    text = foreseen.text
    step = foreseen.enrollment.protocol.step(text.nudge_for or text.step)
    subject = Subject(
        clinic=scene.file,
        now=text.due_at,
        patient_zone=scene.timezone,
        starts_at=place.starts_at if place else text.anchor_at,
        virtual=place is not None and place.virtual,
        route=place.route if place else None,
        details=place.details() if place else {},
        params={"form": step.form} if step is not None and step.form else {},
        tag=scene.tag,
        telling=telling(scene.told_at, text.due_at, scene.file.zone),
    )
    return render(scene.catalog, text.template, scene.language, subject)
