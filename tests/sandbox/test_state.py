"""What the carrier remembers is bounded; segments are counted as Twilio counts them."""

import pytest

from sandbox.numbers import normalise, segments
from sandbox.state import Message, Status, Store, new_sid
from tests.sandbox.conftest import NUMBER


def _message(to, body="x"):
    return Message(
        sid=new_sid("SM"),
        account="AC",
        to=to,
        sender=NUMBER,
        body=body,
        direction="outbound-api",
        status=Status.QUEUED,
        segments=1,
        created=0.0,
        born=0.0,
    )


def test_the_oldest_texts_are_forgotten_everywhere():
    """Beyond `keep` a text leaves the index of its SID, both parties and its phone."""
    store = Store(keep=3)
    texts = [_message(f"+1212555010{n}") for n in (1, 1, 2, 3, 4)]
    for text in texts:
        store.add(text)
    assert list(store.messages) == [text.sid for text in texts[2:]]
    assert set(store.by_to) == set(store.phones) == {f"+1212555010{n}" for n in (2, 3, 4)}
    assert len(store.by_sender[NUMBER]) == 3


def test_a_deleted_text_can_still_be_forgotten():
    """Deleting does not upset the order of forgetting."""
    store = Store(keep=2)
    texts = [_message("+12125550101") for _ in range(4)]
    for text in texts[:2]:
        store.add(text)
    store.delete(texts[0])
    for text in texts[2:]:
        store.add(text)
    assert [m.sid for m in store.newest_first()] == [texts[3].sid, texts[2].sid]


def test_the_last_texts_of_a_phone_come_in_order():
    """`latest` merges both directions and keeps the newest."""
    store = Store(keep=100)
    for index in range(6):
        text = _message("+12125550101", str(index))
        if index % 2:
            text.to, text.sender, text.direction = NUMBER, "+12125550101", "inbound"
        store.add(text)
    assert [m.body for m in store.latest("+12125550101", 4)] == ["2", "3", "4", "5"]
    assert [m.body for m in store.conversation("+12125550101")] == list("012345")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ñ" * 160, 1),
        ("\u2019" * 70, 1),
        ("\u2019" * 71, 2),
        ("🙂" * 35, 1),
        ("🙂" * 36, 2),
        ("a" * 159 + "[", 2),
    ],
)
def test_segments(body, expected):
    """160/153 septets, extended letters twice; 70/67 UTF-16 units; an emoji is two."""
    assert segments(body) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+12125550110", "+12125550110"),
        ("2125550110", "+12125550110"),
        ("1 (212) 555-0110", "+12125550110"),
        ("+442079460000", "+442079460000"),
        ("+1212555011", None),
        ("+10125550110", None),
        ("12345", None),
        ("", None),
        ("whatsapp:+12125550110", None),
    ],
)
def test_numbers(text, expected):
    """E.164, US national forms, and nothing else."""
    assert normalise(text) == expected
