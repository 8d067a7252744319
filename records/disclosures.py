"""What a wrong number may have disclosed: texts that went there since the patient was last heard.

The list of a breach assessment (care rule 21). It is read when asked for and kept nowhere.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.inbox import Inbound
from records.outbox import Message

# Texts that arrived, or may have.
_WENT = ("delivered", "sent", "accepted", "unknown")
# What a stranger writes proves nothing.
_NO_PROOF = ("wrong_number", "stop", "unclear")


def since_proof(session: Session, patient_id: UUID) -> list[Message]:
    """Return the texts to a patient's number since their last answer to a question of ours."""
    proved = (
        select(Inbound.received_at)
        .where(
            Inbound.patient_id == patient_id,
            Inbound.prompt_message_id.is_not(None),
            Inbound.intent.not_in(_NO_PROOF),
        )
        .order_by(Inbound.received_at.desc())
        .limit(1)
    )
    last = session.scalars(proved).first()
    mine = select(Message).where(Message.patient_id == patient_id, Message.status.in_(_WENT))
    if last is not None:
        mine = mine.where(Message.submitted_at > last)
    return list(session.scalars(mine.order_by(Message.submitted_at)))
