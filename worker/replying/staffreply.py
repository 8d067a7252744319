"""Texts of staff: somebody on the ladder takes a page by answering its text.

Each page's text names its own number ("reply 2"), and that number, or TAKE where one page is open,
takes it as pressing 1 in a call does. Nothing is ever guessed: what may mean two pages takes none,
and is asked back. An answer means the pages that were open when it was written, also where it is
found late. Staff are told apart from patients by the phone that stands in the clinic's file; who is
both answers a question of ours first, since a page that was taken by mistake calls nobody.
"""

import re
from collections.abc import Collection
from datetime import timedelta

from records import pagecodes, pages
from records.pages import Page, PageKind
from schedules import ladder, roster
from schedules.followups import FollowUpReason
from schedules.ladder import Channel, Person
from schedules.staffing import Severity
from worker.paging import calling
from worker.replying.case import Case
from worker.taking import (
    FollowUpActionError,
    FollowUpTakenError,
    NotAllowedError,
    take_page_in,
)

_TAKE = frozenset({"take", "take it", "taken", "taking it", "i take it", "ill take it", "tomo"})
_NUMBER = re.compile(r"(?:take )?(\d{1,3})")
_NO_LETTERS = re.compile(r"[^\w ]+")
#: Answers to one phone within an hour: two robots must not talk on.
_MOST_AN_HOUR = 6
_HOUR = timedelta(hours=1)


def staff_reply(case: Case) -> bool:
    """Handle a text from a phone on the ladder; False if it is, or may be, a patient's own."""
    people = roster.keys_on_phone(case.file, case.number)
    if not people:
        return False
    word = " ".join(_NO_LETTERS.sub("", case.body).casefold().split())
    written = case.inbound.received_at
    waiting = pagecodes.waiting(case.session, case.clinic.id, people, at=written)
    if case.inbound.prompt_message_id is not None or case.inbound.ambiguous:
        if waiting and _NUMBER.fullmatch(word):
            _tell(case, people, "own")
        return False
    page, said = _meant(case, people, word, waiting)
    if page is not None:
        _tell(case, people, _take(case, page), by=page.person)
    elif case.people:
        # Whoever is a patient too and says nothing of pages speaks as one.
        if said != "which":
            return False
        _tell(case, people, said)
    elif not case.needs_nobody:
        _tell(case, people, said)
    return True


def _meant(
    case: Case, people: Collection[str], word: str, waiting: list[Page]
) -> tuple[Page | None, str]:
    """Return the page that is meant, or what to say where none surely is."""
    number = _NUMBER.fullmatch(word)
    if number is not None:
        code = int(number[1])
        page = pagecodes.with_code(
            case.session, case.clinic.id, people, code, at=case.inbound.received_at
        )
        if page is not None:
            return page, ""
    elif word in _TAKE:
        if len(waiting) == 1:
            return waiting[0], ""
        if waiting:
            return None, "which"
    open_now = pagecodes.waiting(case.session, case.clinic.id, people, at=case.now)
    return None, "unclear" if open_now else "nothing"


def _take(case: Case, page: Page) -> str:
    """Take a page; return what to say of it."""
    try:
        kind = take_page_in(case.session, case.services, page.id)
    except FollowUpTakenError:
        return "colleague"
    except NotAllowedError:
        return "clinician"
    except FollowUpActionError:
        return "ended"
    return "taken" if kind == PageKind.ITEM else "thanks"


def _tell(case: Case, people: Collection[str], said: str, *, by: str | None = None) -> None:
    """Text an answer to the phone that wrote, as durably as a page."""
    since = case.now - _HOUR
    lately = pages.answers_lately(case.session, case.clinic.id, people, since=since)
    if lately >= _MOST_AN_HOUR:
        case.open(case.want(FollowUpReason.UNKNOWN_NUMBER))
        return
    who = Person(key=by or min(people), name="", phone=case.number)
    calling.page(
        case.session,
        case.services,
        {Channel.SMS},
        case.clinic,
        who,
        calling.About(
            kind=PageKind.ANSWER,
            why=ladder.Why.OPENED,
            severity=Severity.PAGE_NOW,
            wanted=frozenset({Channel.SMS}),
            subject=said,
            cause=f"answer:{case.inbound.id}",
            with_webhook=False,
        ),
        now=case.now,
    )
    case.nudges.add(("pages", str(case.clinic.id)))
