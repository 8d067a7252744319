"""Who the patients really are: drawn from the seed before anything happens, and told to nobody.

Pure. Each patient draws from a sequence of their own, so that one more patient changes no other.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

_ZONES = (
    ("America/New_York", 70),
    ("America/Chicago", 12),
    ("America/Los_Angeles", 8),
    ("America/Phoenix", 5),
    ("Pacific/Honolulu", 3),
    ("America/Anchorage", 2),
)
_NAMES = ("Ana", "Luis", "Grace", "Omar", "Ruth", "Carmen", "Noah", "Elena", "Kai", "June")
_PURPOSES = (
    ("visits;check_ins;health_questions", 85),
    ("visits;check_ins", 10),
    ("visits", 5),
)
_PROGRAMS = (("daily-check-in", 25), ("relapse-prevention", 15), ("", 60))
_FIRST_DAY_SHARE = 0.6
#: Hours that patients ask for, as in `patients.csv`; most ask for none.
_SAFE_HOURS = (("", 86), ("09:00-12:00", 4), ("14:00-18:00", 6), ("17:00-20:00", 4))
_ZONE_UNKNOWN_SHARE = 0.12


class Trouble(StrEnum):
    """What a text is about when it must reach somebody at once, or end all others."""

    STOP = "stop"
    WRONG_NUMBER = "wrong_number"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One patient. `answers` is the share of questions answered, `slow` the usual minutes taken.

    `zone` is where they live; the clinic may not know it. `safe_hours` are theirs, in that zone.
    `greets`: they answer the welcome, however little else.
    The last fields count texts received: after so many they stop, say that the number is wrong, or
    write in danger; 0 is never.
    """

    number: int
    phone: str = field(repr=False)
    first_name: str = field(repr=False)
    language: str
    zone: str
    purposes: str
    joins_at: datetime
    program: str
    answers: float
    slow: float
    reachable: bool
    stops_after: int
    returns: bool
    wrong_after: int
    danger_after: int
    zone_known: bool = True
    greets: bool = False
    safe_hours: str = ""

    @property
    def patient_id(self) -> str:
        """The clinic's id, by which reports name the patient."""
        return f"P-{self.number:04}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a patient writes, how long after reading, and what it is beneath its words."""

    words: str
    after: timedelta
    trouble: Trouble | None = None


def dice(seed: int, *what: object) -> random.Random:
    """Return the sequence of one person or thing: the same for the same seed."""
    return random.Random(":".join(str(each) for each in (seed, *what)))


def _drawn(rng: random.Random, weighted: Sequence[tuple[str, int]]) -> str:
    return rng.choices([word for word, _ in weighted], [weight for _, weight in weighted])[0]


def _some(rng: random.Random, share: float, least: int, most: int) -> int:
    return rng.randint(least, most) if rng.random() < share else 0


def draw(seed: int, number: int, phone: str, start: datetime, days: int) -> Person:
    """Draw one patient; most are there on the first day, others come in the first two thirds."""
    rng = dice(seed, "person", number)
    card = dice(seed, "card", number)
    later = 0 if rng.random() < _FIRST_DAY_SHARE else rng.randint(1, max(1, days * 2 // 3))
    return Person(
        number=number,
        phone=phone,
        first_name=rng.choice(_NAMES),
        language="es" if rng.random() < 0.2 else "en",
        zone=_drawn(rng, _ZONES),
        purposes=_drawn(rng, _PURPOSES),
        joins_at=start + timedelta(days=later, hours=9 if later else 8, minutes=5 * (number % 7)),
        program=_drawn(rng, _PROGRAMS),
        answers=rng.choice((0.97, 0.9, 0.75, 0.5, 0.1)),
        slow=rng.choice((2.0, 8.0, 25.0, 90.0)),
        reachable=rng.random() > 0.02,
        stops_after=_some(rng, 0.08, 2, 40),
        returns=rng.random() < 0.4,
        wrong_after=_some(rng, 0.02, 1, 6),
        danger_after=_some(rng, 0.10, 2, 40),
        zone_known=card.random() >= _ZONE_UNKNOWN_SHARE,
        safe_hours=_drawn(card, _SAFE_HOURS),
    )


_DANGER = {
    "en": (
        "I want to kill myself",
        "I took too many pills",
        "my chest hurts and I cant breathe",
        "I dont want to be here anymore",
    ),
    "es": ("quiero morirme", "tome demasiadas pastillas", "me duele el pecho y no puedo respirar"),
}
_STOP = {
    "en": ("STOP", "please stop texting me", "unsubscribe", "no more texts please"),
    "es": ("STOP", "no me manden mas mensajes"),
}
_WRONG = {"en": "you have the wrong number", "es": "numero equivocado"}
_CHAT = {
    "en": (
        "thanks!",
        "what should I wear?",
        "can my sister come along?",
        "PAUSE",
        "call me",
        "HELP",
    ),
    "es": ("gracias", "puede venir mi hermana?", "PAUSE", "llamame", "AYUDA"),
}
_NOT_A_NUMBER = {"en": ("so so", "not great", "4 or 5"), "es": ("mas o menos", "no muy bien")}

_UNWELL = re.compile(r"\b0 (fine|yes|bien|s[ií])\b", re.IGNORECASE)
_YES_NO = re.compile(r"\b(Y or N|S o N|Y o N)\b")
_VISIT = re.compile(r"(Reply|Responda) (C|R|L)\b")
_WELCOME = re.compile(r"(?:Reply|Responda) (HI|HOLA)\b")
_BOOK = re.compile(r"(Reply|Responda) B\b")


def answer(person: Person, rng: random.Random, body: str, read: int) -> Said | None:
    """Return what a patient writes to a text, the `read`th that they got; None is silence."""
    if trouble := _trouble(person, rng, read):
        return trouble
    greeting = _WELCOME.search(body)
    words = greeting[1] if greeting else _words(person, rng, body)
    after = timedelta(minutes=0.3 + rng.expovariate(1 / person.slow))
    greets = greeting is not None and person.greets
    if words is None or (rng.random() > person.answers and not greets):
        return None
    return Said(words=words, after=after)


def _trouble(person: Person, rng: random.Random, read: int) -> Said | None:
    after = timedelta(minutes=1 + rng.expovariate(1 / 10))
    if read == person.wrong_after:
        return Said(words=_WRONG[person.language], after=after, trouble=Trouble.WRONG_NUMBER)
    if read == person.stops_after:
        words = rng.choice(_STOP[person.language])
        return Said(words=words, after=after, trouble=Trouble.STOP)
    if read == person.danger_after:
        words = rng.choice(_DANGER[person.language])
        return Said(words=words, after=after, trouble=Trouble.SAFETY)
    return None


def _words(person: Person, rng: random.Random, body: str) -> str | None:
    if _VISIT.search(body):
        return rng.choices(
            ("C", "R", "L", "Si" if person.language == "es" else "ok"), (84, 6, 3, 7)
        )[0]
    if _YES_NO.search(body):
        return rng.choices(("Y", "N", "yes" if person.language == "en" else "si"), (55, 35, 10))[0]
    if _UNWELL.search(body):
        return str(rng.choices((0, 1, 2, 3), (75, 15, 7, 3))[0])
    if _asks_number(body):
        return _number(person, rng, body)
    if _BOOK.search(body):
        return "B" if rng.random() < 0.6 else None
    return rng.choice(_CHAT[person.language]) if rng.random() < 0.04 else None


def _asks_number(body: str) -> bool:
    return bool(re.search(r"number|n[uú]mero|cifra|0 to|0 a |0 \(", body, re.IGNORECASE))


def _number(person: Person, rng: random.Random, body: str) -> str:
    if rng.random() < 0.06:
        return rng.choice(_NOT_A_NUMBER[person.language])
    most = 7 if re.search(r"0 (to|a) 7|7 (days|nights|d[ií]as|noches)", body) else 10
    return str(min(most, round(abs(rng.gauss(3, 2.4)))))
