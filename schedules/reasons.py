"""Why a text is not sent, or not sent when its protocol says: a code and a sentence for each.

The code is what the outbox keeps; the sentence is what a coordinator reads.
"""

from enum import StrEnum


class SkipReason(StrEnum):
    """Why a planned text will not go. The first that holds is named, in this order."""

    VISIT_CANCELLED = "visit_cancelled"
    ENROLLMENT_ENDED = "enrollment_ended"
    PATIENT_CLOSED = "patient_closed"
    PATIENT_HELD = "patient_held"
    OPTED_OUT = "opted_out"
    CALLS_ONLY = "calls_only"
    NUMBER_TAKEN = "number_taken"
    STEP_SKIPPED = "step_skipped"
    WELCOME_FAILED = "welcome_failed"
    STEP_OFF = "step_off"
    NO_CONSENT = "no_consent"
    PHONE_SHARED = "phone_shared"
    NUMBER_UNPROVED = "number_unproved"
    NO_SHOW = "no_show"
    ARRIVED = "arrived"
    CHANGE_REQUESTED = "change_requested"
    CONFIRMED = "confirmed"
    NOT_MEANT = "not_meant"
    BOOKED = "booked"
    SILENT = "silent"
    PAUSED = "paused"
    DOSE_DAY = "dose_day"
    OTHER_NUMBER = "other_number"
    SAME_DAY = "same_day"
    TWO_FASTS = "two_fasts"
    ANSWERED = "answered"
    NOT_REACHED = "not_reached"
    LATE_BOOKING = "late_booking"
    TOO_LATE = "too_late"
    NO_ALLOWED_MINUTE = "no_allowed_minute"
    CAP = "cap"
    ALREADY_TOLD = "already_told"


class CancelReason(StrEnum):
    """Why an unsent row is withdrawn that the plan no longer holds."""

    NOT_PLANNED = "not_planned"
    BEYOND_HORIZON = "beyond_horizon"
    ALREADY_SENT = "already_sent"


class MoveReason(StrEnum):
    """Why a text goes at another minute than its protocol says."""

    WINDOW = "window"
    STILL_TRUE = "still_true"
    STAFFED_HOURS = "staffed_hours"
    OTHER_FORM = "other_form"
    SENT_LATE = "sent_late"
    AFTER_OTHER = "after_other"


#: Ends that leave nobody without an instruction: it is not wanted any more, or comes in a new row.
#: A change that staff have not decided yet is none of them (care rule 1).
HARMLESS_ENDS: frozenset[str] = frozenset(
    {
        SkipReason.VISIT_CANCELLED,
        SkipReason.NO_SHOW,
        SkipReason.PATIENT_CLOSED,
        SkipReason.ARRIVED,
        SkipReason.CONFIRMED,
        SkipReason.NOT_MEANT,
        SkipReason.BOOKED,
        SkipReason.ANSWERED,
        SkipReason.SAME_DAY,
        CancelReason.NOT_PLANNED,
        CancelReason.BEYOND_HORIZON,
        CancelReason.ALREADY_SENT,
    }
)


_SENTENCES: dict[str, str] = {
    SkipReason.VISIT_CANCELLED: "The visit was cancelled.",
    SkipReason.NO_SHOW: "The patient did not come to the visit.",
    SkipReason.ENROLLMENT_ENDED: "The patient no longer follows this protocol.",
    SkipReason.PATIENT_CLOSED: "The patient's record is closed.",
    SkipReason.PATIENT_HELD: "Texts to this patient are on hold.",
    SkipReason.OPTED_OUT: "The patient stopped texts.",
    SkipReason.NUMBER_TAKEN: (
        "Another patient has this number; staff must decide how to reach this one."
    ),
    SkipReason.CALLS_ONLY: "Staff reach this patient by phone, not by text.",
    SkipReason.WELCOME_FAILED: (
        "The welcome did not arrive; nothing goes to this number until staff have seen to it."
    ),
    SkipReason.STEP_OFF: "This text is switched off for this patient.",
    SkipReason.PHONE_SHARED: "Others read this phone, so that no number or mood is asked.",
    SkipReason.NO_CONSENT: "The patient has not agreed to texts of this kind.",
    SkipReason.NUMBER_UNPROVED: "No reply came from the number yet; it may not be the patient's.",
    SkipReason.PAUSED: (
        "Questions and invitations rest: a pause, staff who are writing, or an open crisis."
    ),
    SkipReason.SILENT: (
        "The patient left several of these unanswered; it is not asked until staff have acted."
    ),
    SkipReason.ARRIVED: "The patient has already arrived.",
    SkipReason.CHANGE_REQUESTED: "The patient asked for another time; staff must decide first.",
    SkipReason.CONFIRMED: "The patient has confirmed this start time.",
    SkipReason.NOT_MEANT: "This step is not meant for this visit or patient.",
    SkipReason.BOOKED: "The visit that it asks for is booked.",
    SkipReason.OTHER_NUMBER: "Another number is asked then, and two are never open at once.",
    SkipReason.SAME_DAY: "Another text of that day stands for both.",
    SkipReason.TWO_FASTS: (
        "Of two doses that day, food ends earlier for the other and drink for this one; a person "
        "must call."
    ),
    SkipReason.DOSE_DAY: "On the day of a dose the evening text takes the place of the check-in.",
    SkipReason.STEP_SKIPPED: "The text it follows will not be sent.",
    SkipReason.ANSWERED: "The patient has answered.",
    SkipReason.NOT_REACHED: "The question did not reach the patient.",
    SkipReason.LATE_BOOKING: "The visit or enrollment became known after this text was due.",
    SkipReason.TOO_LATE: "Its latest useful time has passed.",
    SkipReason.NO_ALLOWED_MINUTE: "No allowed minute is left at which the text would be true.",
    SkipReason.CAP: "The patient gets more important texts that day, or in the week around it.",
    SkipReason.ALREADY_TOLD: (
        "This start time was texted before, and another one since; a person must call."
    ),
    CancelReason.NOT_PLANNED: "The plan no longer holds this text.",
    CancelReason.BEYOND_HORIZON: "It is now too far ahead and will be planned again in time.",
    CancelReason.ALREADY_SENT: "This start time was texted already.",
    "cancelled_by_staff": "Staff withdrew this text.",
    MoveReason.WINDOW: "Moved into the hours in which the patient may be texted.",
    MoveReason.STILL_TRUE: "Moved so that what it says is still true.",
    MoveReason.STAFFED_HOURS: "Moved earlier so that staff can act on the answer.",
    MoveReason.OTHER_FORM: "Sent in its other form, since its own minute is not allowed.",
    MoveReason.SENT_LATE: "Sent at once, since the visit became known late.",
    MoveReason.AFTER_OTHER: "Moved until no other question for a number is open.",
}


def in_plain_words(reason: str) -> str:
    """Give the sentence for a code; an unknown code (from an older row) is given back as it is."""
    return _SENTENCES.get(reason, reason)
