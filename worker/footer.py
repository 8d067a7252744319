"""What ends a text that we start: how to stop and whom to call, as far as its words leave it out.

`schedules.telling` says which texts carry it. Answers and safety replies never do.
"""

import re
from collections.abc import Iterator

from messages.segments import count
from schedules.telling import Telling

_SAYS_STOP = re.compile(r"\bSTOP\b")
# The fuller words where they fit: most texts have little room left in their part.
_STOP_ENDS = {
    "en": ("STOP ends texts", "STOP to end"),
    "es": ("STOP termina textos", "STOP termina"),
}


def tells(body: str, phone: str) -> bool:
    """Whether a text says both how to stop and whom to call."""
    return phone in body and _SAYS_STOP.search(body) is not None


def told(body: str, phone: str, language: str, telling: Telling) -> str:
    """Return a started text with what it leaves unsaid, if it is to say it."""
    if telling is Telling.NOT_YET or tells(body, phone):
        return body
    parts = count(body).segments
    wordings = list(_wordings(body, phone, language))
    for longer in wordings:
        if count(longer).segments == parts:
            return longer
    return wordings[0] if telling is Telling.NOW else body


def _wordings(body: str, phone: str, language: str) -> Iterator[str]:
    """Give the text with what it leaves unsaid, the fullest words first."""
    # A full stop after a link would be taken for a part of it.
    opened = body[-1].isalnum() and "/" not in body.rsplit(maxsplit=1)[-1]
    apart = ". " if opened else " "
    if _SAYS_STOP.search(body):
        yield body + apart + phone
        return
    for stop in _STOP_ENDS.get(language, _STOP_ENDS["en"]):
        yield body + apart + (stop if phone in body else f"{stop}. {phone}")
