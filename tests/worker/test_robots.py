"""A number that never stops writing, such as another robot: three answers an hour, and a person."""

import os
from collections import Counter

from tests.support.world import World, phone_of
from tests.worker.talk import Talk
from worker.steps import replies

_TEXTS = 10_000 if os.environ.get("AFTERCARE_LONG") else 100
_GROUP = max(10, _TEXTS // 40)
_DANGER = "I want to kill myself"


def test_a_number_that_never_stops_gets_three_answers_an_hour(world: World) -> None:
    """Cries for help among 100 texts in an hour (10,000 with AFTERCARE_LONG) are answered."""
    talk = Talk(world)
    talk.someone()
    step = 3600 / _TEXTS
    for first in range(0, _TEXTS, _GROUP):
        texts = [talk.sms("what time?", phone=phone_of(0)) for _ in range(_GROUP - 1)]
        texts.append(talk.sms(_DANGER if first % (_TEXTS // 10) == 0 else "call me"))
        talk.receive_together(*texts)
        world.advance(seconds=step * _GROUP)
        replies.run(world.services, limit=_GROUP)
    assert world.execute("SELECT 1 FROM inbound WHERE handled_at IS NULL") == []
    [(stored,)] = world.execute("SELECT count(*) FROM inbound")
    assert stored == _TEXTS
    kinds = Counter(row.kind for row in world.execute("SELECT kind FROM message"))
    assert kinds["answer"] <= 3
    # The same cry within 15 min is paged again, not answered again (care rule 10).
    assert 3 <= kinds["safety"] <= 5
    assert talk.reasons, "a person sees them"


def test_another_number_is_answered_meanwhile(world: World) -> None:
    """The limit is a number's own."""
    talk = Talk(world)
    talk.someone(2)
    world.advance(hours=12)
    for _ in range(4):
        talk.says("what time?", phone=phone_of(0))
        # What is written in one go gets one "we are closed".
        world.advance(minutes=16)
    talk.says("what time?", phone=phone_of(1))
    rows = world.execute("SELECT recipient_blind FROM message WHERE kind = 'answer'")
    told = Counter(bytes(row.recipient_blind) for row in rows)
    assert sorted(told.values()) == [1, 3]


def test_a_plea_in_two_texts_is_joined_amid_a_flood(world: World) -> None:
    """Only the newest texts are read along: they cost nobody else their minutes."""
    talk = Talk(world)
    talk.someone()
    talk.receive_together(*(talk.sms("what time?", phone=phone_of(0)) for _ in range(60)))
    talk.receive_together(talk.sms("i want to", phone=phone_of(0)))
    talk.receive_together(talk.sms("die", phone=phone_of(0)))
    [(urgent,)] = world.execute("SELECT count(*) FROM inbound WHERE urgent")
    assert urgent == 1
