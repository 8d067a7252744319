"""What staff write to a patient, kept sealed until the text is rendered."""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from records.vault import Vault

TEMPLATE = "staff_text"
_SEALED, _WORDS = "sealed", "words"


def sealed(vault: Vault, message_id: UUID, words: str) -> dict[str, str]:
    """Return a message's parameters that hold these words; no column shows them."""
    value = vault.seal("message", "params", message_id, words)
    return {_SEALED: base64.b64encode(value).decode()}


def opened(vault: Vault, message_id: UUID, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message's parameters with the words that staff wrote, if they did."""
    value = params.get(_SEALED)
    if value is None:
        return params
    words = vault.open("message", "params", message_id, base64.b64decode(value))
    return {**params, _WORDS: words}
