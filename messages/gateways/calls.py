"""Voice calls at Twilio: the form of a create. What is said comes from our own TwiML address."""

import re
from urllib.parse import urlencode

from messages.gateway import VoiceCall

CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
# Twilio's own default is 60 s, after which most voicemails have long taken the call.
_RING_SECONDS = 25


def form_of(call: VoiceCall) -> bytes:
    """Return the form that creates a call which asks `url` for its words."""
    form = [
        ("To", call.to),
        ("From", call.from_number),
        ("Url", call.url),
        ("Method", "POST"),
        ("Timeout", str(_RING_SECONDS)),
        ("StatusCallback", call.status_callback),
        ("StatusCallbackMethod", "POST"),
    ]
    return urlencode(form).encode("ascii")
