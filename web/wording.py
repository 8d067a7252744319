"""What a coordinator reads instead of codes: statuses, reasons, severities, what happened."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from records import patients
from records.casework import SourceFact
from schedules.clinic import ClinicFile
from worker.reasons import in_plain_words

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "planned": "Planned",
        "claimed": "About to go",
        "submitting": "On its way to the carrier",
        "unknown": "May have been sent; we are checking",
        "accepted": "With the carrier",
        "sent": "Sent",
        "delivered": "Delivered",
        "undelivered": "Not delivered",
        "failed": "Not sent",
        "expired": "Not sent, too late",
        "cancelled": "Cancelled",
        "skipped": "Not sent",
    }
)
# How a status looks; the words carry the meaning, the colour only supports them.
TONES: Mapping[str, str] = MappingProxyType(
    {
        "delivered": "good",
        "unknown": "warn",
        "undelivered": "bad",
        "failed": "bad",
        "expired": "bad",
        "cancelled": "quiet",
        "skipped": "quiet",
    }
)
SEVERITIES: Mapping[str, str] = MappingProxyType(
    {
        "page_now": "Now",
        "call_today": "Call today",
        "next_business_day": "Next business day",
        "digest": "For information",
    }
)
VISITS: Mapping[str, str] = MappingProxyType(
    {
        "booked": "Ahead",
        "arrived": "Arrived",
        "checked_out": "Left",
        "fulfilled": "Took place",
        "cancelled": "Cancelled",
        "no_show": "Did not come",
    }
)
DOSES: Mapping[str, str] = MappingProxyType(
    {"given": "Dose given", "partial": "Part of the dose given", "not_given": "No dose given"}
)
FOLLOW_UP_STATUSES: Mapping[str, str] = MappingProxyType(
    {"open": "Open", "acknowledged": "Taken", "resolved": "Ended"}
)
FOLLOW_UPS: Mapping[str, str] = MappingProxyType(
    {
        "crisis": "May be in crisis",
        "overdose": "May have overdosed",
        "medical_emergency": "May be a medical emergency",
        "page_score": "Answered the worst number",
        "reading_failed": "A text could not be read by the machine",
        "change_requested": "Wants another time",
        "health_news": "Has health news before a visit",
        "ride_missing": "Has no ride home",
        "high_score": "Answered a high number",
        "low_score": "Answered a low number",
        "rising_score": "Numbers are rising",
        "off_plan": "Told of days off plan",
        "medicines_missed": "Has not taken the medicines",
        "not_ready": "Is not ready for a dose at home, or did not say",
        "side_effect": "Feels unwell after a dose",
        "use_disclosed": "Wrote about use",
        "callback": "Wants a call",
        "wrong_number": "May be a wrong number",
        "running_late": "Is running late",
        "may_have_meant_something_else": "Stopped texts, but may have meant something else",
        "instruction_not_delivered": "An instruction did not arrive",
        "check_not_delivered": "Was not asked how they are after a dose",
        "not_reminded": "Was not reminded of a visit",
        "no_answer": "Has not answered",
        "cannot_reach": "Texts do not arrive",
        "number_deactivated": "Their phone company gave the number up: is it still theirs?",
        "visit_unbooked": "Has no next visit booked",
        "visit_missed": "Did not come to a visit",
        "visit_event_missing": "A visit's outcome is not recorded",
        "unclear_reply": "Wrote something that was not understood",
        "question": "Has a question",
        "missed_check_ins": "Missed check-ins",
        "outcome_unknown": "A text may or may not have been sent",
        "unknown_number": "A text from an unknown number",
        "opted_out": "Stopped texts",
        "paused": "Paused check-ins",
        "page_test_unanswered": "A test page was not acknowledged",
        "nobody_there": "Everybody is away in staffed hours",
        "outage_page_unanswered": "Nobody took the page about texts that do not go",
        "closure_list": "Before closed days: who to look after",
        "conversation": "You wrote to them",
        "cannot_plan": "Texts can't be planned for them",
        # What a process of the release before opens while an installation is restarted.
        "not_planned": "Texts can't be planned for them",
        "crisis_hold_ended": "An import closed the record and ended a crisis hold",
        "number_unproved": "Has not answered the welcome",
        "breach_assessment": "Texts went to a wrong number: assess the disclosure",
    }
)
#: Why somebody stands on the call list or the closure list.
CALLS: Mapping[str, str] = MappingProxyType(
    {
        "food": "Food and drink before the dose",
        "ride": "Ride home after the dose",
        "after_dose": "How are they after the dose",
        "visit": "A visit they may not know of",
        "recent_dose": "Had a dose in the last three days",
        "high_score": "Answered a high number",
        "missed_check_ins": "Is silent",
        "no_answer": "Is silent",
        "cannot_reach": "Texts do not arrive",
        "crisis": "May be in crisis",
        "overdose": "May have overdosed",
    }
)
OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "reached": "Reached",
        "left_message": "Left a message",
        "not_reached": "Not reached (say what was decided)",
        "rebooked": "Rebooked",
        "handled": "Handled",
        "no_action_needed": "No action needed",
        "reached_safe": "Reached and safe",
        "emergency_services_sent": "Emergency services sent",
        "misread": "Misread: nothing was wrong",
    }
)
#: What to do first, shown with the item to whoever was paged (care rule 15), where the clinic's
#: file has no playbook of its own for the reason.
PLAYBOOK: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "crisis": (
            "Call the patient now; mind the safe-contact notes. Do not discuss it by text.",
            "In danger and reached: stay on the line, 911 on a second one. 988 is there too.",
            "Not reached: the emergency contact, then decide about a welfare check, and note it.",
        ),
        "overdose": (
            "Call 911 first if anybody is unresponsive; then the patient, then the contact.",
            "Ask who is with them, and whether naloxone is there.",
        ),
        "number_unproved": (
            "Check-ins and questions about health wait until somebody answers from this number.",
            "Ask whether our text came: a reply of one word will do.",
            "Seen on their phone: say so on their page, under the next two weeks of texts.",
            "Not their number, or another one by now: change it in the record.",
        ),
        "number_deactivated": (
            "Nothing is texted to this number now: before long it may be a stranger's.",
            "Whoever only changed the phone company is listed too: ask them to text us a word.",
            "Theirs, and they can't text: record the consent that they give you on the phone.",
            "Another number by now: change it in the record.",
        ),
        "medical_emergency": (
            "Call the patient now. Trouble breathing, chest pain, a seizure: 911.",
            "Say the last dose and its route to whoever treats them.",
        ),
    }
)
#: What a patient agreed to, and how.
PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "visits": "Visits",
        "check_ins": "Check-ins",
        "health_questions": "Questions about health",
    }
)
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "paper": "Signed on paper",
        "electronic": "Signed or clicked on a screen",
        "verbal": "Said so, here or on the phone",
    }
)


def stop_in_words(reason: str) -> tuple[str, str]:
    """Return what keeps a number from texts, and what ends that.

    The second is empty for a number of the dead: nobody ends that.
    """
    if reason == patients.DECEASED:
        return "A patient of this number died: nothing is texted there", ""
    if reason.startswith(patients.SUSPENDED):
        ends = "A text from it proves it again, or a consent that they give you anew."
        return "This number is out of service, as its phone company says", ends
    if reason == patients.WRONG_NUMBER:
        ends = "Once you have checked with the patient that it is theirs, record what they say."
        return "This number was said to be somebody else's, and the stop stays", ends
    ends = (
        "A START from the phone takes back a STOP that was texted. Or speak with them, and record "
        "what they say."
    )
    return "This number has stopped texts, and the stop stays", ends


#: Who wrote to the ledger, where nobody signed in did.
MACHINES: Mapping[str, str] = MappingProxyType({"cli": "by command"})

INTENTS: Mapping[str, str] = MappingProxyType(
    {
        "confirm": "yes / confirmed",
        "decline_reschedule": "no / wants a change",
        "running_late": "running late",
        "stop": "stop texts",
        "start": "start texts again",
        "help": "help",
        "score": "a number",
        "score_out_of_range": "a number out of range",
        "side_effect": "feels unwell",
        "crisis": "crisis",
        "overdose": "overdose",
        "medical_emergency": "medical emergency",
        "use_disclosed": "use disclosed",
        "question_for_staff": "a question for staff",
        "callback_request": "wants a call",
        "thanks_no_action": "thanks",
        "wrong_number": "wrong number",
        "pause": "pause check-ins",
        "unclear": "not understood",
    }
)
# Why a text ended, waits or moved: the same sentences as in `aftercare history`.
why = in_plain_words


def to_do(file: ClinicFile, reason: str) -> tuple[str, ...]:
    """Return what to do first about an item: the clinic's own words, or ours, or nothing."""
    return file.playbook.get(reason) or PLAYBOOK.get(reason, ())


def named(words: Mapping[str, str], code: str | None) -> str:
    """Return the words for a code; an unknown code is shown as words, never hidden."""
    if not code:
        return ""
    return words.get(code) or code.replace("_", " ").replace("-", " ").capitalize()


def what_happened(reason: str, fact: SourceFact | None) -> str:
    """Return a short line beside a follow-up's title: the answer, the text, the visit."""
    if fact is None:
        return ""
    if fact.kind is not None:
        return f"{named({}, fact.kind)} visit"
    item = named({}, fact.item)
    value = "" if fact.value is None else named(_VALUES, fact.value)
    if reason in {"high_score", "page_score", "rising_score"} and value:
        return f"Answered {value}" + (f" to: {item}" if item else "")
    if reason in {"crisis", "overdose", "medical_emergency"}:
        return value
    if item:
        return f"About: {item}"
    return ""


_VALUES = MappingProxyType(
    {
        "self_harm": "Wrote about suicide or self-harm",
        "harm_to_others": "Wrote about harming somebody",
        "abuse": "Wrote about violence or abuse",
    }
)


def distance(at: datetime, now: datetime) -> str:
    """Return how far an instant is: "in 12 min", "3 h ago", "in 2 days"."""
    apart = abs(at - now)
    amount = _amount(apart)
    if apart < timedelta(minutes=1):
        return "now"
    return f"in {amount}" if at > now else f"{amount} ago"


def _amount(apart: timedelta) -> str:
    minutes = int(apart.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"
