"""What few words say under a text of ours that asks nothing: a welcome, a call that is promised.

People answer these too. "Yes please" to "reply B and we'll call you" wants the call, "yes" to a
welcome says that it came. A text has its topic while it is the last that went to the number, and
half a day; what answers danger has it until a clinician ends the item (docs/understanding.md).
"""

from collections.abc import Sequence
from dataclasses import replace

from messages import keywords
from messages.binding import APPOINTMENT
from messages.meaning import RISK, SOON, THANKS, TODAY, Said, contexts, told
from messages.reading import Heard, Hint, Hit, Intent, Topic

_CALL, _STOP = Intent.callback_request, Hint.maybe_stop
#: Somebody is about to call, or should: they read before what nobody understood.
_READ_TODAY = frozenset({Topic.UNBOOKED, Topic.MISSED, Topic.CANCELLED, Topic.CALL, Topic.CHANGE})
_NOT_UNDERSTOOD = frozenset(
    {Intent.unclear, Intent.question_for_staff, Intent.confirm, Intent.score}
)


def read_today(heard: Heard, hits: Sequence[Hit]) -> list[Hit]:
    """Have a person read the same day what says nothing clear under a text about a visit or call.

    "Thursday works", "after 5", "i was there": it is no answer to any question that is open.
    """
    unbound = all(hit.intent in _NOT_UNDERSTOOD and hit.prompt is None for hit in hits)
    if not heard.topics & _READ_TODAY or not unbound or any(hit.ambiguous for hit in hits):
        return []
    return [Hit(intent=Intent.unclear, severity=TODAY, aside=True)]


def under_danger(heard: Heard, hits: Sequence[Hit]) -> list[Hit]:
    """Return what a text says where danger was answered that nobody has ended yet.

    "Wrong person" may be said of what we made of their words. Only a clear stop is one there, and
    what merely resembles an answer about a visit is none: "no i dont".
    """
    return [_not_there(hit) for hit in hits] if Topic.DANGER in heard.topics else list(hits)


def _not_there(hit: Hit) -> Hit:
    alike = hit.hint is Hint.resembles
    if hit.intent is Intent.wrong_number or (alike and hit.opt_out):
        return replace(hit, intent=Intent.unclear, severity=TODAY, hint=_STOP, opt_out=False)
    of_visit = hit.intent in {Intent.decline_reschedule, Intent.running_late}
    return replace(hit, intent=Intent.unclear, severity=SOON) if alike and of_visit else hit


def _asks_help(heard: Heard) -> list[Hit]:
    """Read HELP where we speak of help: it is answered as ever, and a person looks today."""
    hit = keywords.help_word(heard)
    return [replace(hit, severity=TODAY, hint=RISK)] if hit is not None else []


def _thinks_it_holds(heard: Heard) -> list[Hit]:
    """Whoever confirms a visit that was cancelled may come; another one may be asked about."""
    if APPOINTMENT in contexts(heard):
        return []
    return told("confirm", severity=TODAY)(heard)


#: As B would. A question that is open as well is answered by nobody's guess: somebody calls.
_WANTS_A_CALL = told("books", intent=_CALL, severity=TODAY)
_DECLINED = told("no", "declines_offer", "not_next", severity=SOON, unasked=True)
_PROMISED: tuple[Said, ...] = (
    _asks_help,
    told("hard_now", severity=TODAY, hint=RISK),
    told("waits_for_call", intent=_CALL, severity=TODAY),
    told("no_call", "no_longer", "cancels_it", "voicemail", "text_instead", severity=TODAY),
)

SAID: dict[Topic, tuple[Said, ...]] = {
    Topic.DANGER: (
        # What was done joins the item that is open, and pages nobody again; else somebody reads it.
        told("help_came", severity=SOON),
        told("leave_me", severity=TODAY, hint=_STOP),
    ),
    Topic.WELCOME: (
        told("yes", "confirm", "welcomed", intent=THANKS, unasked=True),
        told("no", "declines_offer", severity=TODAY, hint=_STOP, unasked=True),
    ),
    Topic.UNBOOKED: (
        _WANTS_A_CALL,
        told("calls_us", intent=THANKS),
        _DECLINED,
        told("no", severity=TODAY),
        told("booked_already", severity=SOON),
        # It may be said of the visit, or of our texts.
        told("no_interest", "no_more", "cancels_it", severity=TODAY, hint=_STOP),
        told("no_return", severity=TODAY, hint=RISK),
    ),
    Topic.MISSED: (
        _asks_help,
        told("needs_support", intent=_CALL, severity=TODAY, hint=RISK),
        _WANTS_A_CALL,
        told("declines_offer", severity=SOON),
        # "We hope you're OK", and "no" comes.
        told("no", "not_ok", "was_scared", "no_return", severity=TODAY, hint=RISK),
        told("no_interest", "not_booked", "no_visit_then", severity=TODAY, hint=_STOP),
        told("cancelled_before", severity=TODAY),
        told("apology", severity=SOON),
    ),
    Topic.CANCELLED: (
        _asks_help,
        _WANTS_A_CALL,
        told("not_cancelled", severity=TODAY),
        _thinks_it_holds,
    ),
    Topic.COACH: (
        _asks_help,
        told("takes_heart", intent=THANKS),
        told("hard_now", severity=TODAY, hint=RISK),
    ),
    Topic.CALL: (
        *_PROMISED,
        told("never_mind", intent=THANKS),
        told("yes", "confirm", intent=THANKS, unasked=True),
    ),
    # The visit is kept then, or not.
    Topic.CHANGE: (*_PROMISED, told("never_mind", severity=TODAY)),
    Topic.REST: (
        told("all_of_it", "not_asked_for", severity=TODAY, hint=_STOP),
        told("never_mind", intent=Intent.start, severity=SOON),
    ),
    Topic.LATE: (
        told("minutes_more", intent=Intent.running_late, severity=TODAY),
        told("apology", intent=THANKS),
    ),
    Topic.CLOSED: (
        _asks_help,
        told("not_urgent", "never_mind", intent=THANKS),
        told("waits_for_call", intent=_CALL, severity=TODAY),
        told("hard_now", severity=TODAY, hint=RISK),
        # "Urgent?", the text says.
        told("yes", severity=TODAY, unasked=True),
    ),
}

#: Said by many whatever went before.
ANYWHERE: tuple[Said, ...] = (
    told("visits_only", intent=Intent.pause, severity=TODAY),
    told("nobody_answers", "wants_somebody", intent=_CALL, severity=TODAY),
)
