"""Every reason a text can bear, in a sentence that a coordinator reads.

The planner's reasons have theirs in `schedules.reasons`; these are the send path's own, and the
carrier's error codes with their meaning.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from messages.errorcodes import classify
from records.outages import Down, Outage
from schedules import reasons
from schedules.explaining import takes_its_place
from schedules.facts import PlannedText
from schedules.reasons import SkipReason

_NOTHING_CREATED = "Nothing was created at the carrier. It is tried again."
_MAYBE_SENT = "No definite answer. It may have been sent."
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "stopped": "The patient stopped texts.",
        "number_suspended": "The number is out of service, until it is proved again.",
        "outside_window": "Waits for the hours in which the patient may be texted.",
        "recipient_busy": "Waits until an earlier text to this number is settled.",
        "welcome_first": "Waits until the welcome has gone: nothing comes before it.",
        "plan_first": "It came back: it waits until the plan has looked at it again.",
        "carrier_not_asked": "Overdue: it waits until the carrier says whether it went before.",
        "claim_ran_out": "A worker that held it is gone. Nothing was sent; it is planned again.",
        "worker_lost": "The worker was gone before the carrier answered. It may have been sent.",
        "verified_absent": "The carrier does not have it. It is planned again.",
        "outcome_unknown": "It may have been sent: the carrier could not tell us.",
        "account": "The account or the sender has a fault. It waits.",
        "try_later": "The carrier asked to try later.",
        "not_delivered": "It did not arrive; the carrier gave no code.",
        "number_refused": "The carrier will not text this number.",
        "text_refused": "The carrier refused what the text says.",
        "opted_out_at_carrier": "The carrier has this number as stopped.",
        "cannot_judge": "The patient's record can't be read: nobody knows whether it may go.",
        "unfit_text": "The words could not be written, or say what a text must not say.",
        "not_a_trial_number": "Trial mode, and the number is not in the list.",
        "no_receipt": "The carrier took it and never said whether it arrived.",
        **dict.fromkeys(
            (
                "guard",
                "throttled",
                "dns",
                "refused_connection",
                "connect_timeout",
                "tls",
                "connect",
                "connection_lost",
                "closed",
            ),
            _NOTHING_CREATED,
        ),
        **dict.fromkeys(
            (
                "timeout",
                "disconnected",
                "truncated",
                "garbled",
                "no_sid",
                "server_error",
                "unexpected_status",
            ),
            _MAYBE_SENT,
        ),
    }
)


#: Why texts do not go, as staff read it; `resumed` speaks of an outage that is over.
OUTAGES: Mapping[Outage, str] = MappingProxyType(
    {
        Outage.BREAKER: "Texts are not going out: the carrier refuses them.",
        Outage.STOPPED: "Texts are not going out, and replies are not read: no worker runs.",
        Outage.FAILING: "Texts are not going out: the carrier does not take them.",
        Outage.NOT_ARRIVING: "Texts do not arrive: the carrier takes them, and delivers none.",
        Outage.PAUSED: "Texts are not going out: somebody here has paused them.",
        Outage.LATE: "Texts are late: some that were due wait to be taken up.",
        Outage.RESUMED: "Texts go again. While they did not, some came too late to be sent.",
    }
)


def of_outage(down: Down, zone: ZoneInfo) -> str:
    """Return why texts do not go and since when, by the clinic's clock."""
    since = f"{down.since.astimezone(zone):%b %d %H:%M}"
    if down.until is None:
        return f"{OUTAGES[down.why]} Since {since}."
    return f"{OUTAGES[down.why]} It was from {since} to {down.until.astimezone(zone):%b %d %H:%M}."


def in_plain_words(reason: str | None, error_code: int | None = None) -> str:
    """Return why a text ended, waits or moved, in a sentence; nothing where there is no reason."""
    sentence = _sentence(reason) if reason else ""
    if error_code is None:
        return sentence
    meaning = classify(error_code).meaning.rstrip(".")
    return f"{sentence} {meaning} (code {error_code}).".strip()


def _sentence(reason: str) -> str:
    if reason.startswith("code_"):
        return "It did not arrive."
    known = _SENTENCES.get(reason) or reasons.in_plain_words(reason)
    # A code without words is still shown as words, never hidden.
    return known if known != reason else f"{reason.replace('_', ' ').capitalize()}."


def why(
    text: PlannedText, texts: Sequence[PlannedText], own: datetime | None, zone: ZoneInfo
) -> str | None:
    """Say in plain words why a text does not go, or goes at another minute."""
    said = []
    if text.skip_reason is SkipReason.CAP:
        taken = ", ".join(takes_its_place(text, texts, zone))
        # Where nothing of that day does, it is the week's cap.
        said.append(
            f"The patient gets more important texts that day: {taken}."
            if taken
            else in_plain_words(text.skip_reason)
        )
    elif text.skip_reason is not None:
        said.append(in_plain_words(text.skip_reason))
    elif text.moved_reason is not None:
        said.append(in_plain_words(text.moved_reason))
        if own is not None:
            said.append(f"Its own minute is {own.astimezone(zone):%a %Y-%m-%d %H:%M %Z}.")
    if text.ended_early and text.answer_until is not None and text.skip_reason is None:
        ends = f"{text.answer_until.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
        said.append(f"Answers to it end {ends}, when the next number is asked.")
    if text.short_staffed and text.skip_reason is None:
        said.append("Fewer staffed hours follow than the step asks for.")
    return " ".join(said) or None
