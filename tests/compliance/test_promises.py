"""A promise of the send path that no other test holds by itself."""

from records import sending
from records.base import new_id
from tests.compliance.line import Line


def test_only_the_worker_that_claimed_may_send(line: Line) -> None:
    """Whoever comes back with a token that is not the row's opens no attempt."""
    [message_id] = line.world.due()
    line.world.execute(
        "UPDATE message SET status = 'claimed', claim_token = uuidv7(), recipient_blind = 'x',"
        " lease_until = clock_timestamp() + interval '1 minute'"
    )

    with line.world.database.transaction() as session:
        opened = sending.intend(
            session, [message_id], token=new_id(), now=line.world.now, host="here"
        )

    assert not opened
    assert line.world.message(message_id).status == "claimed"
