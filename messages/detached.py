"""Whether a text tells of feeling detached, and whether it sounds alone, frightened or confused.

Shortly after a dose the first is expected and is rechecked by a person; the second is urgent at any
hour (care rule 12). It adds to a reading and never takes anything from it that is danger.
"""

import re
from enum import Enum
from functools import cache

from messages.datafiles import load
from messages.wordtools import fold

_FILE = "data/detached.yaml"


class Detached(Enum):
    """What a text says of feeling detached."""

    NOT = "not"
    CALM = "calm"
    ALARMED = "alarmed"


def look(body: str) -> Detached:
    """Return what a text in English or Spanish says of feeling detached."""
    words = fold(body)
    if not _pattern("detached").search(words):
        return Detached.NOT
    return Detached.ALARMED if _pattern("alarmed").search(words) else Detached.CALM


@cache
def _pattern(name: str) -> re.Pattern[str]:
    phrases = load(_FILE)[name]
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b")
