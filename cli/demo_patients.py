"""The demo's patients: people who read a text on their phone and, most of them, answer it.

Each has answers for each kind of question, given one after another; who has none left is silent.
They know nothing of the product: they see the words on their phone, and write back.
"""

import heapq
import json
import re
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SECONDS = 5.0


class Asked(StrEnum):
    """What a text asks for, as a patient sees it."""

    NUMBER = "number"
    YES_OR_NO = "yes_or_no"
    VISIT = "visit"
    WELCOME = "welcome"
    NOTHING = "nothing"


_SIGNS: Mapping[Asked, re.Pattern[str]] = {
    Asked.WELCOME: re.compile(r"(Reply|Responda) (HI|HOLA)\b"),
    Asked.NUMBER: re.compile(r"one number|una cifra|un solo n.mero|solo una cifra", re.IGNORECASE),
    Asked.YES_OR_NO: re.compile(r"(Reply|Responda) (with just )?(Y or N|S o N)"),
    Asked.VISIT: re.compile(r"(Reply|Responda) (C|R)\b|Need to change\?|Para cambiar responda"),
}


def asked(body: str) -> Asked:
    """Return what a text asks for."""
    return next((kind for kind, sign in _SIGNS.items() if sign.search(body)), Asked.NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """One simulated patient: what they answer, in order, and the seconds they take to write."""

    patient_id: str
    about: str
    answers: Mapping[Asked, Sequence[str]] = field(default_factory=dict)
    seconds: float = 6.0


# Ids are those of examples/make_examples.py. One of each kind that a clinic meets every day.
PERSONAS = (
    Persona(
        patient_id="P-1001",
        about="confirms",
        answers={Asked.VISIT: ("C",), Asked.NOTHING: ("Can my sister come along?",)},
        seconds=5,
    ),
    Persona(
        patient_id="P-1002",
        about="confirms",
        answers={Asked.VISIT: ("Si, confirmo", "C")},
        seconds=8,
    ),
    Persona(
        patient_id="P-1003",
        about="has news about a medicine",
        answers={Asked.YES_OR_NO: ("Y",)},
        seconds=9,
    ),
    Persona(
        patient_id="P-1004",
        about="answers with a high number",
        answers={Asked.NUMBER: ("9",), Asked.YES_OR_NO: ("N",)},
        seconds=7,
    ),
    Persona(
        patient_id="P-1005", about="wants another time", answers={Asked.VISIT: ("R",)}, seconds=6
    ),
    Persona(patient_id="P-1006", about="is silent"),
    Persona(
        patient_id="P-1007", about="has a ride home", answers={Asked.YES_OR_NO: ("Y",)}, seconds=4
    ),
    Persona(
        patient_id="P-1008",
        about="has no ride home",
        answers={Asked.YES_OR_NO: ("N",)},
        seconds=5,
    ),
    Persona(
        patient_id="P-1011",
        about="writes words of crisis",
        answers={Asked.NUMBER: ("I don't want to be here anymore",)},
        seconds=10,
    ),
    Persona(patient_id="P-1012", about="sends STOP", answers={Asked.VISIT: ("STOP",)}, seconds=11),
    Persona(
        patient_id="P-1016",
        about="writes something unclear, then a number",
        answers={
            Asked.NUMBER: ("mas o menos, como 4 o 5", "5"),
            Asked.VISIT: ("C",),
        },
        seconds=7,
    ),
)


#: How soon somebody answers the welcome, in seconds: until then nobody is asked how they are.
_GREETS_AFTER = 3.0


class Phones:
    """The sandbox carrier's own side: its log, and the phones to write on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seen = 0

    def news(self) -> list[dict[str, Any]]:
        """Return the log's entries since the last call. Raises OSError while nobody answers."""
        answer = self._json("GET", f"/sandbox/log?since={self._seen}")
        entries: list[dict[str, Any]] = answer["entries"]
        if entries:
            self._seen = entries[-1]["seq"]
        return entries

    def rewind(self) -> None:
        """Begin a new log: the carrier was started anew."""
        self._seen = 0

    def write(self, number: str, body: str) -> None:
        """Send a text from a phone to whoever texted it last."""
        path = f"/sandbox/phones/{quote(number)}/texts"
        self._json("POST", path, {"body": body})

    def _json(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._url + path, data=data, method=method)  # noqa: S310  Our own address.
        with _opener.open(request, timeout=_SECONDS) as answer:
            read: dict[str, Any] = json.loads(answer.read() or b"{}")
        return read


class Patients:
    """Everybody with a phone. `numbers` maps a patient's id to their number.

    Everybody answers the welcome, the silent one too: that proves the number.
    """

    def __init__(self, numbers: Mapping[str, str], personas: Iterable[Persona] = PERSONAS) -> None:
        self._left = {
            numbers[each.patient_id]: {kind: list(said) for kind, said in each.answers.items()}
            for each in personas
        }
        self._seconds = {numbers[each.patient_id]: each.seconds for each in personas}
        self._numbers = frozenset(numbers.values())
        self._due: list[tuple[float, str, str]] = []

    @property
    def writing(self) -> int:
        """How many answers are being written now."""
        return len(self._due)

    def read(self, number: str, body: str, *, at: float) -> None:
        """Let the owner of a phone see a text. `at` is a monotonic instant in seconds."""
        kind = asked(body)
        if kind is Asked.WELCOME and number in self._numbers:
            said = "HOLA" if "HOLA" in body else "HI"
            heapq.heappush(self._due, (at + _GREETS_AFTER, number, said))
        elif left := self._left.get(number, {}).get(kind):
            heapq.heappush(self._due, (at + self._seconds[number], number, left.pop(0)))

    def written(self, *, at: float) -> list[tuple[str, str]]:
        """Return the numbers and words of answers that are finished by `at`."""
        done = []
        while self._due and self._due[0][0] <= at:
            _, number, said = heapq.heappop(self._due)
            done.append((number, said))
        return done
