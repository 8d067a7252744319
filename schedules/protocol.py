"""What a schedule says, as frozen values: a protocol, its steps, and what a step waits for.

The loader makes these from YAML, the checks and the planner read them, and the follow-up rules
interpret the three kinds of rule at the end of a step. Nothing here computes with time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from schedules.clinic_parts import UnknownPolicy
from schedules.staffing import Severity


class Anchor(StrEnum):
    """What a moment counts from, in the words of the protocol files."""

    VISIT_START = "visit start"
    VISIT_END = "visit end"
    BOOKING = "booking"
    #: The same three as a patient is told of them: nothing where an import was quiet (care rule 5).
    ANNOUNCED_BOOKING = "announced booking"
    ANNOUNCED_MOVE = "announced move"
    ANNOUNCED_CANCELLATION = "announced cancellation"
    #: The recorded check-out, whether or not a dose was given.
    CHECK_OUT = "check-out"
    #: The recorded check-out of a visit at which a dose was given, wholly or partly (care rule 6).
    DOSE_CHECK_OUT = "dose check-out"
    #: The closing of the visit's day, if the patient came and by then nobody recorded how it ended:
    #: the check-out, and whether a dose was given (care rule 6).
    UNRECORDED_CLOSING = "unrecorded closing"
    ENROLLMENT = "enrollment"
    #: When a patient's first consent to texts came to us; what is enrolled `with consent`.
    CONSENT = "consent"
    QUIT_DATE = "quit date"
    #: The recorded no-show of this visit.
    NO_SHOW = "no-show"
    #: The recorded check-outs of the patient's first and latest visit at which a dose was given.
    FIRST_DOSE = "first dose"
    LAST_DOSE = "last dose"
    #: The latest answer or text that told of use, or a number that needed a person the same day.
    LAPSE = "lapse"
    #: When another step of the same protocol is due; `Moment.step` names it.
    STEP = "step"
    #: The fasting instants before the visit, from the clinic's fasting hours. Not for `when`.
    FOOD_CUT_OFF = "food cut-off"
    DRINK_CUT_OFF = "drink cut-off"
    #: When the patient would act on what a text told them before a move or cancellation: the food
    #: cut-off of a dosing visit, the start of any other. Not for `when`.
    TOLD_TIME = "told time"
    #: The instant at which this very text is due. Not for `when`.
    SENDING = "sending"


#: News of a visit. Each is a text of its own, however often the visit moves.
NEWS_ANCHORS = frozenset(
    {Anchor.ANNOUNCED_BOOKING, Anchor.ANNOUNCED_MOVE, Anchor.ANNOUNCED_CANCELLATION}
)
VISIT_ANCHORS = NEWS_ANCHORS | {
    Anchor.VISIT_START,
    Anchor.VISIT_END,
    Anchor.BOOKING,
    Anchor.CHECK_OUT,
    Anchor.DOSE_CHECK_OUT,
    Anchor.UNRECORDED_CLOSING,
    Anchor.NO_SHOW,
    Anchor.FOOD_CUT_OFF,
    Anchor.DRINK_CUT_OFF,
    Anchor.TOLD_TIME,
}
#: They come again, and what counts from them is then wanted anew.
COMES_AGAIN = NEWS_ANCHORS | {Anchor.LAST_DOSE, Anchor.LAPSE}
DAY_ANCHORS = frozenset({Anchor.ENROLLMENT, Anchor.QUIT_DATE})
DEADLINE_ANCHORS = frozenset(
    {Anchor.FOOD_CUT_OFF, Anchor.DRINK_CUT_OFF, Anchor.SENDING, Anchor.TOLD_TIME}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time told from an anchor: by elapsed minutes, or by local calendar days.

    `minutes`: so many after the anchor's instant, before it when negative. `days`: so many local
    days from the anchor's, at `clock`, or at the anchor's own wall-clock time; `between` holds that
    inside two times of the anchor's day. `own_hour`: the patient's chosen check-in time wins.
    """

    anchor: Anchor
    step: str | None = None
    minutes: int | None = None
    days: int | None = None
    clock: time | None = None
    own_hour: bool = False
    between: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of a repeat: from one day to another (the first is 1), every so many days."""

    first_day: int
    last_day: int
    every_days: int
    #: 0 (Monday) to 6, of an `every_days` of 1; empty means every day.
    weekdays: frozenset[int] = frozenset()

    def days(self) -> range:
        """Give the day numbers on which this phase asks."""
        return range(self.first_day, self.last_day + 1, self.every_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A repeat taken up once more: daily for so many days after the latest of some events."""

    days: int
    anchors: tuple[Anchor, ...]


class StaysOn(StrEnum):
    """When the wording is true: "tomorrow", "today", "tonight", "good morning", in this order."""

    DAY_BEFORE = "day before"
    SAME_DAY = "same day"
    SAME_EVENING = "same evening"
    MORNING_AFTER = "morning after"


class LateBooking(StrEnum):
    """What to do when the visit or enrollment became known after the text was due."""

    SKIP = "skip"
    SEND_AT_ONCE = "send at once"


class Purpose(StrEnum):
    """The consent a text needs, in the words of `patients.csv`."""

    VISITS = "visits"
    CHECK_INS = "check_ins"
    HEALTH_QUESTIONS = "health_questions"


class Importance(StrEnum):
    """What goes first when the day's cap is short (care rule 8), most important first."""

    NOTICE = "notice"  # Moved and cancelled; never counted.
    FOOD = "food"
    RIDE = "ride"
    AFTER_DOSE = "after-dose"
    VISIT = "visit"
    CHECK_IN = "check-in"
    UNBOOKED = "unbooked"
    BOOSTER = "booster"

    @property
    def priority(self) -> int:
        """Give the outbox priority: 0 is left to safety replies, 10 is the most urgent text."""
        return _PRIORITY[self]


#: How long a text that has just gone out is on its way before anybody is called for it.
_TIME_TO_ARRIVE = timedelta(minutes=15)
#: How long staff need at least between an item and the deadline of its call (care rule 2).
_TIME_TO_CALL = timedelta(minutes=30)
_PRIORITY = {importance: 10 * at for at, importance in enumerate(Importance, start=1)}


class ConditionKind(StrEnum):
    """Facts on which a step can depend."""

    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not confirmed"
    FIRST_DOSE = "first dose"
    LATER_DOSE = "later dose"
    NO_DOSE_THAT_DAY = "no dose that day"
    IN_PERSON = "in person"
    VIRTUAL = "virtual"
    ROUTE = "route"
    ROUTE_NOT = "route not"  # Any other route, and one that nobody entered.


class HistoryKind(StrEnum):
    """Facts beyond the visit itself on which a step can depend: the patient, their other visits."""

    NO_INTEGRATION_BOOKED = "no integration booked"
    NO_DOSE_BOOKED = "no dose booked"
    NOT_BOOKED_AGAIN = "not booked again"
    MISSED_BEFORE = "missed before"
    OPTED_IN = "opted in"
    NUMBER_UNPROVED = "number not proved"
    NO_OTHER_NUMBER = "no other number that day"
    SUBSTANCE = "substance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that must hold for a step to go.

    `routes` only for the kinds `route` and `route not`, `substances` only for `substance`.
    """

    kind: ConditionKind | HistoryKind
    routes: frozenset[str] = frozenset()
    substances: frozenset[str] = frozenset()


class Worse(StrEnum):
    """Which end of a scale worries."""

    HIGH, LOW = "high", "low"


class AnswerTest(StrEnum):
    """How a rule looks at an answer. Bounds include their number."""

    INTENT = "intent"
    NUMBER_IS = "number is"
    NUMBER_AT_LEAST = "number at least"
    NUMBER_AT_MOST = "number at most"
    #: Against the median of the patient's own last three answers to this step.
    NUMBER_RISES_BY = "number rises by"
    NUMBER_FALLS_BY = "number falls by"
    #: Any answer that could be read and that no other rule of this step matched.
    ANY_OTHER = "any other"
    #: The scores of a form that was filled in: one of them, or all.
    ANY_SCORE_AT_LEAST = "any score at least"
    EVERY_SCORE_AT_LEAST = "every score at least"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCondition:
    """What an answer must be.

    `intent` is one of messages' intents: yes is `confirm`, no and change are `decline_reschedule`,
    late is `running_late`, call me is `callback_request`.
    """

    test: AnswerTest
    intent: str | None = None
    number: int | None = None
    #: How often running an answer must have been given; each of a number's has to meet the test.
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpRule:
    """An answer that needs a person: a follow-up with this reason and severity.

    `due` overrides the time that the severity gives ("by: 60 minutes before visit start").
    Of the rules that match one answer the most severe counts; every match is recorded.
    """

    when: AnswerCondition
    reason: str
    severity: Severity
    due: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnansweredRule:
    """Silence that needs a person: `misses` questions in a row that arrived and got no answer.

    `at` is when the silence counts, None means when the answer window ends.
    """

    reason: str
    severity: Severity
    misses: int = 1
    at: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDeliveredRule:
    """An instruction that did not arrive becomes a call (care rule 2), due by `call_by`.

    It covers every end but delivered: skipped, cancelled by a hold, capped, booked late, expired,
    failed, and unproved at `prove_by`.
    """

    reason: str
    severity: Severity
    call_by: Moment
    unproved_minutes: int = 60

    def prove_by(self, deadline: datetime, due_at: datetime | None) -> datetime:
        """Give the instant from which a text under way that nobody proved is a call.

        That is `unproved_minutes` before its deadline. One that goes no sooner has a quarter of an
        hour to arrive first, or it would be a call at the very minute at which it goes; but not
        where that leaves nobody the time to call before the deadline.
        """
        at = deadline - timedelta(minutes=self.unproved_minutes)
        if due_at is None or due_at + _TIME_TO_ARRIVE > deadline - _TIME_TO_CALL:
            return at
        return max(at, due_at + _TIME_TO_ARRIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    """A repeat of a question that reached the patient and stands unanswered."""

    after_minutes: int
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The form a text takes when it cannot go at its own minute, or earlier while still true.

    The ride question two hours before a visit is the case: before the send window opens it becomes
    the afternoon's question about tomorrow (care rule 3).
    """

    template: str
    when: Moment
    stays_on: StaysOn | None = None


#: `Step.expects` for a text that asks nothing.
EXPECTS_NOTHING = "none"
#: For a text about a form: the answer is that it was filled in (`aftercare form`).
EXPECTS_FORM = "form"


# By identity, so that what patients share can be kept by step.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One text of a protocol.

    `expects` is an answer context as `understand` takes it: `appointment_reminder`, `yes_no`,
    `side_effect_check`, `scale:0-10`, `none`; or `form`, where `form` names the one
    behind the link. After `pause_after` misses in a row it is not asked until staff have acted.
    """

    id: str
    template: str
    when: Moment
    latest: Moment
    purpose: Purpose
    importance: Importance
    repeat: tuple[Phase, ...] = ()
    again: Again | None = None
    stays_on: StaysOn | None = None
    otherwise: Alternative | None = None
    expects: str = EXPECTS_NOTHING
    worse: Worse | None = None
    answer_until: Moment | None = None
    nudges: tuple[Nudge, ...] = ()
    form: str | None = None
    pause_after: int | None = None
    only_if: tuple[Condition, ...] = ()
    late_booking: LateBooking = LateBooking.SKIP
    needs_staffed_minutes: int = 0
    unknown: UnknownPolicy | None = None
    on_answer: tuple[FollowUpRule, ...] = ()
    unanswered: tuple[UnansweredRule, ...] = ()
    if_not_delivered: NotDeliveredRule | None = None

    def templates(self) -> Iterator[str]:
        """Give every template this step may send."""
        yield self.template
        if self.otherwise:
            yield self.otherwise.template
        for nudge in self.nudges:
            yield nudge.template


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What a person must do at a time, whether or not a text goes, while its conditions hold."""

    id: str
    when: Moment
    reason: str
    severity: Severity
    only_if: tuple[Condition, ...] = ()
    for_lead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detachment:
    """Feeling detached so long after the check-out is expected; a person looks again so soon."""

    within_minutes: int
    recheck_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFilter:
    """Which visits a protocol enrolls by itself. Empty sets mean all."""

    kinds: frozenset[str]
    routes: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()

    def matches(self, kind: str, route: str | None, setting: str | None) -> bool:
        """Whether a visit is meant.

        A visit whose route nobody entered is taken in, since a missing field must not cost a
        patient the fasting text; a missing setting means the clinic.
        """
        return (
            kind in self.kinds
            and (not self.routes or not route or route in self.routes)
            and (not self.settings or (setting or "clinic") in self.settings)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A schedule definition; `visits` is None where people are enrolled by hand, or by consent.

    `gate` names what a clinic must have settled, and say so in its file, before this may be used.
    `substances` are those that it was written for; empty means anybody.
    """

    id: str
    title: str
    visits: VisitFilter | None
    steps: tuple[Step, ...]
    duties: tuple[Duty, ...] = ()
    gate: str | None = None
    with_consent: bool = False
    substances: frozenset[str] = frozenset()
    detached: Detachment | None = None

    @property
    def reach_days(self) -> int:
        """Bound how many days after their anchors texts and duties may fall, chains included."""
        moments = [moment for step in self.steps for moment in (step.when, step.latest)]
        moments += [duty.when for duty in self.duties]
        return sum(max(one.days or 0, -(-(one.minutes or 0) // (24 * 60)), 0) for one in moments)

    def step(self, step_id: str) -> Step | None:
        """Find a step by its id."""
        return next((step for step in self.steps if step.id == step_id), None)

    def sources(self, step: Step) -> tuple[Step, ...]:
        """Give the steps that a step counts from, the nearest first; none for a visit or a day."""
        found: list[Step] = []
        while step.when.step is not None:
            source = self.step(step.when.step)
            if source is None or source in found:
                break
            found.append(source)
            step = source
        return tuple(found)
