"""What a change of protocols or settings does to live patients, said before it is made.

Each patient is planned twice from the same facts, as things stand and as they would stand, by the
planner and the comparison that the plan step uses. Reads only; a batch a transaction, so that a
clinic of ten thousand holds nothing up.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from messages.errors import MessageError
from messages.templates import Catalog
from records import enrollments, publishing, sending
from schedules.clinic import ClinicFile
from schedules.duties import duties_of
from schedules.facts import (
    EnrollmentFacts,
    EnrollmentStatus,
    PatientFacts,
    PlannedText,
    VisitStatus,
)
from schedules.gates import RECORDED
from schedules.planner import HORIZON, plan_patient
from schedules.protocol import EXPECTS_NOTHING, Protocol
from schedules.reasons import CancelReason
from schedules.reconcile import NEEDS_NO_ROW, ExistingRow, reconcile
from schedules.telling import Telling, telling
from worker import enrolling, facts, imagined
from worker.facts import ClinicContext, PatientContext
from worker.imagined import Scope
from worker.protocols import readable
from worker.rendering import Rendered, Subject, language_for, render
from worker.services import Services

BATCH = 300
#: How far back the clinic's own rate of items a question is looked for, and how many questions it
#: takes to say one.
_USUAL_DAYS, _ENOUGH_QUESTIONS = 28, 50
#: Any morning does: a text's length is that of its words.
_USUAL_MORNING = datetime(2026, 9, 23, 12, 30, tzinfo=UTC)


class What(StrEnum):
    """What becomes of a text that a patient would get."""

    ADDED = "added"
    MOVED = "moved"
    CANCELLED = "cancelled"
    REWORDED = "reworded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEffect:
    """One text of one patient that goes otherwise. `patient` is the clinic's own id.

    `was_at` is None for a text that is added, `now_at` for one that is cancelled; `reason` says
    then why. `zone` is the patient's own, the clinic's where nobody knows it.
    """

    what: What
    patient: str = field(repr=False)
    protocol: str
    step: str
    occurrence: str
    was_at: datetime | None
    now_at: datetime | None
    template: str
    reason: str | None
    zone: str


@dataclass(slots=True, kw_only=True)
class Forecast:
    """What the horizon holds: texts, segments, questions, and calls that are certain by now.

    `depending` are steps of coming visits that go once something happened, such as a recorded
    check-out: they are in none of the others.
    """

    texts: int = 0
    segments: int = 0
    questions: int = 0
    calls: int = 0
    depending: int = 0


@dataclass(slots=True, kw_only=True)
class Effects:
    """What a change does. `usual_items` is how many items 100 questions opened lately, if known."""

    patients: int = 0
    texts: list[TextEffect] = field(default_factory=list)
    before: Forecast = field(default_factory=Forecast)
    after: Forecast = field(default_factory=Forecast)
    #: Of how many patients texts that depend on what happens first come or go, by protocol.
    lost: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    usual_items: float | None = None
    #: How many follow a version that can't be read: nobody can tell how they stand.
    left_out: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many texts are added, moved, cancelled and reworded."""
        found = Counter(one.what for one in self.texts)
        return {what.value: found[what] for what in What}

    @property
    def moves_texts(self) -> bool:
        """Whether any text goes at another time, or where none went, or no more, or may do so."""
        texts = any(one.what is not What.REWORDED for one in self.texts)
        return texts or bool(self.lost or self.gained or self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that is thought of: the clinic as it would be, and which protocol it is about.

    `protocol` None: any patient of the clinic may be concerned.
    """

    clinic_id: UUID
    file: ClinicFile
    protocols: Mapping[str, tuple[Protocol, int]]
    protocol: str | None = None


def effects_of(
    services: Services,
    change: Change,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Effects:
    """Plan everybody concerned as things stand and as they would stand; return the difference."""
    now = services.now
    with services.database.transaction() as session:
        clinic = facts.clinic_context(session, change.clinic_id)
        clinic = replace(clinic, protocols=readable(clinic.protocols))
        after = replace(
            clinic,
            file=change.file,
            facts=facts.clinic_facts(change.file),
            protocols=change.protocols,
        )
        scope = Scope.of(clinic, after)
        only = None if scope.changes else change.protocol
        people = publishing.concerned(
            session, change.clinic_id, protocol=only, visits=scope.changes, now=now
        )
        usual = publishing.usual(session, change.clinic_id, since=now - timedelta(days=_USUAL_DAYS))
    found = Effects(patients=len(people))
    if usual.questions >= _ENOUGH_QUESTIONS:
        found.usual_items = 100 * usual.items / usual.questions
    on_start(len(people))
    segments = _Segments(services.catalog)
    for start in range(0, len(people), BATCH):
        chunk = people[start : start + BATCH]
        contexts, told, left_out = _contexts(services, clinic, chunk, now)
        found.left_out += left_out
        for context in contexts:
            told_at = told.get(context.row.id)
            compared = _Comparison(services, context, clinic, after, scope, now, segments, told_at)
            compared.into(found)
        on_progress(len(chunk))
    found.texts.sort(key=lambda one: (one.now_at or one.was_at or now, one.patient, one.step))
    return found


def _contexts(
    services: Services, clinic: ClinicContext, people: Sequence[UUID], now: datetime
) -> tuple[list[PatientContext], Mapping[UUID, datetime], int]:
    """Return what is known of patients, when last told how to stop, and of how many nothing."""
    with services.database.transaction() as session:
        rows = enrollments.of_patients(session, people)
        active = (row for row in rows if row.status == enrolling.ACTIVE)
        out = {row.patient_id for row in active if row.protocol not in clinic.protocols}
        rows = [row for row in rows if row.patient_id not in out]
        contexts = facts.patient_contexts(session, services, rows, {clinic.id: clinic}, now=now)
        return contexts, sending.told_to_stop(session, people, now=now), len(out)


class _Segments:
    """How many segments texts of a clinic have, with values of usual length; written once each."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[int, str, str, Telling], Rendered | None] = {}

    def of(
        self,
        clinic: ClinicFile,
        language: str,
        texts: Iterable[tuple[datetime, str]],
        told_at: datetime | None,
    ) -> int:
        """Return the segments of one patient's texts, as (due, template); some say how to stop."""
        segments = 0
        for due_at, template in sorted(texts):
            says = telling(told_at, due_at, clinic.zone)
            written = self._written(clinic, template, language, says)
            # What can't be written now is counted as one.
            segments += written.segments if written else 1
            if written and written.tells_stop:
                told_at = due_at
        return segments

    def _written(
        self, clinic: ClinicFile, template: str, language: str, says: Telling
    ) -> Rendered | None:
        key = (id(clinic), template, language, says)
        if key not in self._known:
            self._known[key] = self._fresh(clinic, template, language, says)
        return self._known[key]

    def _fresh(
        self, clinic: ClinicFile, template: str, language: str, says: Telling
    ) -> Rendered | None:
        at = _USUAL_MORNING
        subject = Subject(
            clinic=clinic,
            now=at,
            starts_at=at + timedelta(days=1),
            params={"form": next(iter(clinic.forms), None)},
            telling=says,
        )
        written = language_for(self._catalog, template, language, clinic)
        try:
            return render(self._catalog, template, written, subject)
        except MessageError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """A text that will go as far as is known."""

    due_at: datetime
    template: str


_Key = tuple[str, str, str]


class _Comparison:
    """One patient as things stand, and as they would stand."""

    def __init__(
        self,
        services: Services,
        context: PatientContext,
        before: ClinicContext,
        after: ClinicContext,
        scope: Scope,
        now: datetime,
        segments: _Segments,
        told_at: datetime | None,
    ) -> None:
        self._vault, self._told_at = services.vault, told_at
        self._context, self._before, self._after = context, before, after
        self._scope, self._now, self._segments = scope, now, segments

    def into(self, found: Effects) -> None:
        """Add what changes for this patient, and what the horizon holds either way."""
        standing = [each for _, each in self._context.enrollments]
        coming = list(imagined.enrolled(self._context, self._after, self._scope, self._now))
        was, _ = self._look(self._before, standing, self._context.facts, found.before)
        person = imagined.person(self._context, self._after)
        is_, wanted = self._look(self._after, coming, person, found.after)
        self._depending(standing, coming, found)
        if was == is_:
            return
        patient = self._vault.open(
            "patient", "external_id", self._context.row.id, self._context.row.external_id
        )
        protocols = {each.id: each.protocol.id for each in [*standing, *coming]}
        zone = self._context.row.timezone or self._after.file.timezone
        for key in dict.fromkeys([*was, *is_]):
            change = (was.get(key), is_.get(key))
            effect = _effect(patient, zone, protocols[key[0]], key, change, wanted)
            if effect is not None:
                found.texts.append(effect)

    def _depending(
        self,
        standing: Sequence[EnrollmentFacts],
        coming: Sequence[EnrollmentFacts],
        found: Effects,
    ) -> None:
        """Count what goes only after something happened, such as the texts after a dose."""
        was = [_depends(each, self._now) for each in standing]
        will = [_depends(each, self._now) for each in coming]
        found.before.depending += sum(map(len, was))
        found.after.depending += sum(map(len, will))
        old, new = frozenset().union(*was), frozenset().union(*will)
        found.lost.update({protocol for _, protocol, _ in old - new})
        found.gained.update({protocol for _, protocol, _ in new - old})

    def _look(
        self,
        clinic: ClinicContext,
        enrolled: Sequence[EnrollmentFacts],
        person: PatientFacts,
        forecast: Forecast,
    ) -> tuple[dict[_Key, _Going], dict[_Key, PlannedText]]:
        """Return what would go, and what is wanted, as the plan step would see it."""
        visits = self._context.appointments
        texts = plan_patient(
            enrolled,
            person,
            clinic.facts,
            now=self._now,
            appointments=visits,
            events=self._context.asked,
            sent=self._context.sent,
        )
        by_enrollment: dict[str, list[PlannedText]] = {each.id: [] for each in enrolled}
        for text in texts:
            by_enrollment[text.enrollment_id].append(text)
        rows = {str(key): rows for key, rows in self._context.known.items()}
        going: dict[_Key, _Going] = {}
        for each in enrolled:
            known = rows.get(each.id, ())
            going |= _going(each.id, by_enrollment[each.id], known, self._now)
        wanted = {(one.enrollment_id, one.step, one.occurrence): one for one in texts}
        self._count(clinic, enrolled, person, going, wanted, forecast)
        return going, wanted

    def _count(
        self,
        clinic: ClinicContext,
        enrolled: Sequence[EnrollmentFacts],
        person: PatientFacts,
        going: Mapping[_Key, _Going],
        wanted: Mapping[_Key, PlannedText],
        forecast: Forecast,
    ) -> None:
        forecast.texts += len(going)
        texts = [(text.due_at, text.template) for text in going.values()]
        language = self._context.row.language
        forecast.segments += self._segments.of(clinic.file, language, texts, self._told_at)
        for key in going:
            asked = wanted.get(key)
            forecast.questions += asked is not None and asked.expects != EXPECTS_NOTHING
        of = {each.id: each for each in enrolled}
        forecast.calls += sum(
            _becomes_a_call(of[text.enrollment_id].protocol, text, self._now)
            for text in wanted.values()
        )
        visits = self._context.appointments
        forecast.calls += sum(
            duty.wanted and self._now < duty.due_at <= self._now + HORIZON
            for each in enrolled
            for duty in duties_of(each, person, clinic.facts, now=self._now, appointments=visits)
        )


def _depends(each: EnrollmentFacts, now: datetime) -> frozenset[tuple[str, str, str]]:
    """Give visit, protocol and step of what counts from what is recorded of a coming visit.

    Conditions are not looked at: a step that another route would get counts too.
    """
    visit = each.appointment
    booked = visit is not None and visit.status is VisitStatus.BOOKED and visit.starts_at > now
    if visit is None or not booked or each.status is not EnrollmentStatus.ACTIVE:
        return frozenset()
    protocol = each.protocol
    return frozenset(
        (visit.id, protocol.id, step.id)
        for step in protocol.steps
        if (step, *protocol.sources(step))[-1].when.anchor in RECORDED
    )


def _going(
    enrollment: str, texts: Sequence[PlannedText], rows: Sequence[ExistingRow], now: datetime
) -> dict[_Key, _Going]:
    """Return what of an enrollment goes once the plan step has written what is wanted."""
    by_id = {row.id: row for row in rows}
    going = {
        row.id: _Going(due_at=row.due_at, template=row.template)
        for row in rows
        if row.may_go and row.latest_at > now
    }
    changes = reconcile(texts, rows, now)
    for row_id, _ in changes.cancel:
        going.pop(row_id, None)
    for row_id, text in [*changes.move, *changes.revive]:
        going.pop(row_id, None)
        if text.skip_reason is None:
            going[row_id] = _Going(due_at=text.due_at, template=text.template)
    found = {
        (enrollment, by_id[key].step, by_id[key].occurrence): one for key, one in going.items()
    }
    for text in changes.add:
        if text.skip_reason is None:
            key = (enrollment, text.step, text.occurrence)
            found[key] = _Going(due_at=text.due_at, template=text.template)
    return found


def _effect(
    patient: str,
    zone: str,
    protocol: str,
    key: _Key,
    change: tuple[_Going | None, _Going | None],
    wanted: Mapping[_Key, PlannedText],
) -> TextEffect | None:
    was, is_ = change
    going = is_ or was
    if going is None or was == is_:
        return None
    if was is None:
        what = What.ADDED
    elif is_ is None:
        what = What.CANCELLED
    else:
        what = What.MOVED if was.due_at != is_.due_at else What.REWORDED
    return TextEffect(
        what=what,
        patient=patient,
        protocol=protocol,
        step=key[1],
        occurrence=key[2],
        was_at=was.due_at if was else None,
        now_at=is_.due_at if is_ else None,
        template=going.template,
        reason=_reason(what, wanted.get(key)),
        zone=zone,
    )


def _reason(what: What, text: PlannedText | None) -> str | None:
    if what is What.CANCELLED:
        return str(text.skip_reason) if text and text.skip_reason else CancelReason.NOT_PLANNED
    return str(text.moved_reason) if text and text.moved_reason else None


def _becomes_a_call(protocol: Protocol, text: PlannedText, now: datetime) -> bool:
    """Whether a text that is skipped already is an instruction that a person must then give."""
    if text.skip_reason is None or text.skip_reason in NEEDS_NO_ROW or text.due_at <= now:
        return False
    step = protocol.step(text.step)
    return step is not None and step.if_not_delivered is not None
