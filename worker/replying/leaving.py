"""Texts of people who stop, start, ask for help, or whom we don't know.

Who answers STOP, START and HELP is the clinic's setting: the carrier answers its own keywords by
itself, and two answers to one word would be one too many (rules 10 and 13 of the reference).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from messages.binding import APPOINTMENT
from messages.keywords import carrier_acts_on
from messages.replies import Intent, Unproved, unproved
from records.conversation import Prompt
from schedules.clinic import OptoutHandledBy
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.staffing import Severity
from worker.replying import stopping
from worker.replying.case import Case
from worker.replying.prompted import answered_by_somebody
from worker.replying.unprompted import rested_until_asked

_A_DAY = timedelta(days=1)
_EVER = timedelta(days=3650)


def _carrier_answers(case: Case, keyword: str) -> bool:
    """Return whether the carrier answers this text, so that we must not."""
    if case.file.optout_handled_by is OptoutHandledBy.APP:
        return False
    own = carrier_acts_on(case.body)
    return own == keyword.lower() or case.opt_out_type == keyword


def stopped(case: Case) -> None:
    """Confirm a stop once, by one party, and tell staff; it was applied when it was stored."""
    asked = case.open_prompts
    wanted = case.read_as(bound=bool(asked), keyword=case.body)
    case.open(*wanted)
    if case.inbound.opt_change == stopping.OVERTAKEN:
        _ask_whether_to_start(case)
    if case.inbound.opt_change != stopping.STOPPED:
        return
    if Intent.wrong_number in case.intents:
        case.answer("wrong_number_ack", after_stop=True)
    elif not _carrier_answers(case, "STOP"):
        case.answer(_confirmation(case, wanted, asked), after_stop=True)


def _confirmation(case: Case, wanted: Sequence[WantedFollowUp], asked: Sequence[Prompt]) -> str:
    """Return which text confirms a stop."""
    if not case.stopped_by_keyword:
        # START lifts only what a keyword stopped (care rule 20): nobody is told to write it.
        return "optout_confirm_words"
    meant_else = FollowUpReason.MAY_HAVE_MEANT_SOMETHING_ELSE
    about_visit = any(prompt.context == APPOINTMENT for prompt in asked)
    doubtful = about_visit and any(one.reason is meant_else for one in wanted)
    return "optout_confirm_visit" if doubtful else "optout_confirm"


def started(case: Case) -> None:
    """Confirm a start; one that START may not lift, or after which nothing goes, is a person's."""
    if case.inbound.opt_change == stopping.START_REFUSED or not _texts_go(case):
        _ask_whether_to_start(case)
    elif not _carrier_answers(case, "START"):
        case.answer("start_confirm")


def unblocked(case: Case) -> None:
    """Have a person ask where the carrier took a text for a start, and our stop stands.

    It does so for a bare yes, which may answer a question and never lifts a stop (care rule 20).
    """
    if case.closed_to_answers and case.opt_out_type == "START":
        _ask_whether_to_start(case)


def _ask_whether_to_start(case: Case) -> None:
    case.open(case.want(FollowUpReason.QUESTION, about=f"{case.subject}:start"))


def _texts_go(case: Case) -> bool:
    """Whether texts are on now for all who are texted there, whatever the START did.

    They are not while somebody's consent is taken back, also by another stop, or their texts rest.
    """
    people = case.texted
    return bool(people) and all(
        person.purposes
        and person.status == "active"
        and (person.paused_until is None or person.paused_until <= case.now)
        for person in people
    )


def helped(case: Case) -> None:
    """Answer HELP, unless the carrier does; what only resembles it, a person reads as well.

    So does what nobody answers: of a number that stopped, or that was just answered several times.
    """
    wanted = case.read_as(bound=False)
    if not answered_help(case):
        wanted = wanted or (_unanswered_help(case),)
    case.open(*wanted)


def answered_help(case: Case) -> bool:
    """Answer HELP, unless the carrier does; say whether anybody does."""
    if not _carrier_answers(case, "HELP"):
        return case.answer("help")
    # Whether the carrier answers a number that it may block, nobody knows.
    return not case.closed_to_answers


def _unanswered_help(case: Case) -> WantedFollowUp:
    """Have somebody ask what was meant; today where it is more than the bare word: "help!"."""
    soon = None if case.body.strip().isalpha() else Severity.CALL_TODAY
    return case.want(FollowUpReason.UNCLEAR_REPLY, severity=soon)


def stranger(case: Case) -> None:
    """Hand a text from an unknown or a shared number to a person; nobody is named to anybody."""
    if case.needs_nobody:
        return
    if case.people:
        # Which of the two wrote, a person finds out (care rule 22); the answer says how soon.
        rested_until_asked(case)
        wanted = (*case.read_as(bound=False), *answered_by_somebody(case))
        case.open(*wanted or (case.want(FollowUpReason.UNCLEAR_REPLY),))
        case.acknowledge()
        return
    case.open(case.want(FollowUpReason.UNKNOWN_NUMBER))
    if not case.answered_with("neutral_ack", within=_A_DAY):
        case.answer("neutral_ack")


def doubtful(case: Case) -> bool:
    """Say whether a text may be anybody's: a phone's own, or of somebody who asks who we are.

    Who asks is answered neutrally, whoever is on the number (care rule 22): it may be another's.
    """
    why = unproved(case.body)
    if why is Unproved.ASKS_WHO and not case.answered_with("neutral_ack", within=_A_DAY):
        case.answer("neutral_ack")
    return why is not None


def closed_record(case: Case) -> None:
    """Hand a text from a closed record to a person (care rule 24)."""
    deceased = case.is_of_the_dead
    severity = Severity.CALL_TODAY if deceased else None
    wanted = case.want(FollowUpReason.UNCLEAR_REPLY, severity=severity)
    # Somebody writes from the phone of a patient who died: the lead decides who calls.
    case.open(replace(wanted, for_lead=deceased))
    if not deceased and not case.answered_with("closed_line", within=_EVER):
        case.answer("closed_line")
