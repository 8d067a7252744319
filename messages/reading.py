"""What a reply can mean, what it may answer, and the value that a reading ends in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from messages.categories import wholly_said
from messages.quoting import Reaction

if TYPE_CHECKING:
    from messages.index import Said
    from messages.lexicon import Lexicon


class Intent(StrEnum):
    """What a reply says. `confirm` and `decline_reschedule` are also yes and no to a question."""

    confirm = "confirm"
    decline_reschedule = "decline_reschedule"
    running_late = "running_late"
    stop = "stop"
    start = "start"
    help = "help"
    score = "score"
    score_out_of_range = "score_out_of_range"
    side_effect = "side_effect"
    crisis = "crisis"
    overdose = "overdose"
    medical_emergency = "medical_emergency"
    use_disclosed = "use_disclosed"
    question_for_staff = "question_for_staff"
    callback_request = "callback_request"
    thanks_no_action = "thanks_no_action"
    wrong_number = "wrong_number"
    pause = "pause"
    unclear = "unclear"


class Severity(StrEnum):
    """How soon a person must look, most urgent first."""

    page_now = "page_now"
    call_today = "call_today"
    next_business_day = "next_business_day"
    digest = "digest"


def most_urgent(*severities: Severity | None) -> Severity | None:
    """Return the most urgent of the severities given, or None if there is none."""
    given = [severity for severity in severities if severity is not None]
    return min(given, key=_ORDER.index, default=None)


_ORDER = tuple(Severity)


class Hint(StrEnum):
    """Why an automatic reading stopped short, for the question asked back and for staff."""

    scale_or_stop = "scale_or_stop"
    maybe_stop = "maybe_stop"
    maybe_answer = "maybe_answer"
    denied = "denied"
    possible_risk = "possible_risk"
    two_numbers = "two_numbers"
    more_words = "more_words"
    auto_reply = "auto_reply"
    corrected = "corrected"
    resembles = "resembles"


class Topic(StrEnum):
    """What a text of ours is about, where that changes what a few words in answer say."""

    MEDICINES = "medicines"
    RIDE = "ride"
    FOOD = "food"
    FORM = "form"
    EVENING = "evening"
    MORNING = "morning"
    HEALTH = "health"
    VISIT = "visit"
    PLAN = "plan"
    NEXT = "next"
    HOME = "home"
    CRAVING = "craving"
    COUNT = "count"
    CONFIDENCE = "confidence"
    SLEEP = "sleep"
    WEEK = "week"
    WELCOME = "welcome"
    UNBOOKED = "unbooked"
    MISSED = "missed"
    CANCELLED = "cancelled"
    COACH = "coach"
    CALL = "call"
    CHANGE = "change"
    REST = "rest"
    LATE = "late"
    CLOSED = "closed"
    DANGER = "danger"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPrompt:
    """A question that still waits for its answer.

    `context` is how answers are read: appointment_reminder, yes_no, side_effect_check (0-3),
    craving_scale (0-10), scale:MIN-MAX or none. `subject` names the visit a prompt is about: two
    reminders of one visit ask the same thing, so C answers the later one and is not ambiguous.
    `seen_at` is when it is known to have reached the phone; None where that is not known. `topic`
    is what the text that asked was about, where that changes what few words say.
    """

    id: str
    context: str
    asked_at: datetime
    until: datetime
    subject: str | None = None
    seen_at: datetime | None = None
    topic: Topic | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one reply was understood.

    `value` is the number as written for a score, what kind of crisis it is, or the word that
    stopped. `number` holds a number even where something graver outranks it. `also` are further
    things the same text says. `ambiguous`: two open prompts fit, so somebody has to ask.
    `opt_out` and `opt_in`: the text by itself stops or starts our texts. `abuse`: it says so, first
    or besides, so whoever hurts the patient may read what we answer.
    `language` is that of the text received, which a safety reply answers in (care rule 23).
    """

    intent: Intent
    value: str | None = None
    also: tuple[Intent, ...] = ()
    severity: Severity | None = None
    prompt_id: str | None = None
    ambiguous: bool = False
    opt_out: bool = False
    opt_in: bool = False
    urgent: bool = False
    abuse: bool = False
    language: str = "en"
    number: str | None = None
    hint: Hint | None = None


#: The `value` of a crisis in which somebody is hurt or threatened by another.
ABUSE = "abuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What one recogniser found.

    An `aside` never is the reading's intent: it only makes a person look, or look sooner.
    """

    intent: Intent
    value: str | None = None
    severity: Severity | None = None
    prompt: OpenPrompt | None = None
    ambiguous: bool = False
    opt_out: bool = False
    opt_in: bool = False
    language: str | None = None
    number: str | None = None
    hint: Hint | None = None
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A reply in the spellings that recognisers look at.

    `folded` keeps punctuation, `spoken` has a comma between clauses, `flat` has none, both with
    their spelling mended; `variants` are all spellings in which danger is looked for. `compacts`
    are letters and digits without any space. `words` are those of the clinic that received it.
    `topics` are those of our texts that may be meant, `language` is the patient's own, and
    `number_given` says that they answered a number within the hour.
    """

    body: str = field(repr=False)
    folded: str = field(repr=False)
    spoken: "Said" = field(repr=False)
    flat: "Said" = field(repr=False)
    variants: tuple["Said", ...] = field(repr=False)
    compacts: tuple[str, ...] = field(repr=False)
    asks: bool
    words: "Lexicon"
    reaction: Reaction | None = None
    prompts: tuple[OpenPrompt, ...] = field(default=())
    topics: frozenset[Topic] = frozenset()
    language: str = "en"
    number_given: bool = False

    @cached_property
    def cores(self) -> tuple["Said", ...]:
        """The words, then without polite ones after them, then without those before them too."""
        return self.words.cores(self.flat)

    @cached_property
    def wholly(self) -> Mapping[str, str]:
        """What the text is nothing but, polite words left out: categories, each in a language."""
        told = map(wholly_said, reversed(self.cores))
        return {name: language for found in told for name, language in found.items()}

    def whole(self, group: str) -> str | None:
        """Return the language in which the text is nothing but words of this group, if it is."""
        return self.wholly.get(self.words[group].name)
