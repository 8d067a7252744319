"""A text from a virtual phone: keywords, the block list, the webhook, and what it answers."""

import asyncio
from typing import Any
from xml.etree import ElementTree as ET

from sandbox.carrier import Carrier
from sandbox.config import Keywords
from sandbox.errors import SandboxError
from sandbox.faults import Kind
from sandbox.lifecycle import Lifecycle
from sandbox.numbers import segments
from sandbox.state import Message, Status, new_sid, services_of
from sandbox.webhooks import Job, Result

STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START = frozenset({"START", "YES", "UNSTOP"})
HELP = frozenset({"HELP", "INFO"})
_STOP_REPLY = (
    "You have successfully been unsubscribed. You will not receive any more messages from this "
    "number. Reply START to resubscribe."
)
_START_REPLY = (
    "You have successfully been re-subscribed to messages from this number. "
    "Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)
_HELP_REPLY = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
_WEBHOOK_ERROR = "11200"


class NoConversationError(SandboxError):
    """A phone wrote without saying to whom, and nobody has texted it yet."""


def keyword(body: str) -> str | None:
    """STOP, START or HELP when the whole body is such a keyword in any case; else None."""
    word = body.strip().upper()
    for name, words in (("STOP", STOP), ("START", START), ("HELP", HELP)):
        if word in words:
            return name
    return None


class Inbound:
    """Takes texts from phones, does what a carrier does with keywords, and passes them on."""

    def __init__(self, carrier: Carrier, lifecycle: Lifecycle) -> None:
        self._carrier = carrier
        self._lifecycle = lifecycle

    def receive(
        self,
        *,
        phone: str,
        body: str,
        to: str | None = None,
        media: tuple[tuple[str, str], ...] = (),
    ) -> tuple[Message, "asyncio.Task[Result | None]"]:
        """Stores the text and starts its webhook.

        `to` is a number, a service or nothing: then whoever texted this phone last.
        NoConversationError when that is nobody.
        """
        number, service = self._addressee(phone, to)
        carrier = self._carrier
        known = carrier.store.phones.get(phone)
        message = Message(
            sid=new_sid("MM" if media else "SM"),
            account=known.account if known is not None else carrier.default_account,
            to=number,
            sender=phone,
            body=body,
            direction="inbound",
            status=Status.RECEIVED,
            segments=segments(body),
            created=carrier.now(),
            born=carrier.ticks(),
            service=service,
            media=media,
        )
        message.sent = message.created
        carrier.store.add(message)
        word = keyword(body) if carrier.config.keywords is Keywords.CARRIER else None
        carrier.log.write(
            "inbound",
            sid=message.sid,
            to=number,
            **{"from": phone},
            body=body,
            service=service,
            keyword=word,
        )
        if word is not None:
            self._obey(word, message)
        return message, carrier.courier.spawn(self._forward(message, word))

    def _addressee(self, phone: str, to: str | None) -> tuple[str, str | None]:
        store, config = self._carrier.store, self._carrier.config
        known = store.phones.get(phone)
        if to is None:
            if known is None:
                raise NoConversationError(f"{phone} has not been texted yet: say `to`.")
            number = known.last_ours
        elif to.startswith("MG"):
            numbers = config.services.get(to) or (config.default_number,)
            sticky = known is not None and known.last_ours in numbers
            number = known.last_ours if known is not None and sticky else numbers[0]
            return number, to
        else:
            number = to
        owners = services_of(store, config, number)
        if known is not None and known.last_service in owners:
            return number, known.last_service
        return number, owners[0] if owners else None

    def _obey(self, word: str, message: Message) -> None:
        """Writes or lifts the block, and answers as the carrier itself."""
        store, phone = self._carrier.store, message.sender
        owners = (message.to, *services_of(store, self._carrier.config, message.to))
        pairs = [(owner, phone) for owner in owners]
        blocked = any(pair in store.blocks for pair in pairs)
        if word == "STOP":
            for pair in pairs:
                store.blocks[pair] = message.created
            # A second STOP finds the block standing and gets no second confirmation.
            if not blocked:
                self._auto_reply(message, _STOP_REPLY, word)
        elif word == "START" and blocked:
            for pair in pairs:
                store.blocks.pop(pair, None)
            self._auto_reply(message, _START_REPLY, word)
        elif word == "HELP":
            self._auto_reply(message, _HELP_REPLY, word)

    def _auto_reply(self, to: Message, body: str, word: str) -> None:
        reply = self.answer(to, body, carrier_own=True)
        self._carrier.log.write(
            "auto-reply",
            sid=reply.sid,
            to=reply.to,
            **{"from": reply.sender},
            body=body,
            keyword=word,
            by="carrier",
        )

    def answer(self, to: Message, body: str, *, carrier_own: bool) -> Message:
        """Sends a reply on the conversation of an inbound text."""
        carrier = self._carrier
        reply = Message(
            sid=new_sid("SM"),
            account=to.account,
            to=to.sender,
            sender=to.to,
            body=body,
            direction="outbound-reply",
            status=Status.QUEUED,
            segments=segments(body),
            created=carrier.now(),
            born=carrier.ticks(),
            service=to.service,
            carrier_own=carrier_own,
        )
        carrier.store.add(reply)
        self._lifecycle.begin(reply)
        return reply

    async def _forward(self, message: Message, word: str | None) -> Result | None:
        """Posts the text to the product; None where no address is set or a fault lost it."""
        carrier = self._carrier
        url = carrier.config.inbound_address(message.to, message.service)
        if url is None:
            return None
        if carrier.faults.fire((Kind.LOSE_INBOUND,), phone=message.sender):
            carrier.log.write("inbound-webhook", sid=message.sid, url=url, failure="lost")
            return Result(failure="lost", attempts=0)
        result = await self.post(message, url, word)
        if carrier.faults.fire((Kind.DUPLICATE_INBOUND,), phone=message.sender):
            await self.post(message, url, word)
        return result

    async def post(self, message: Message, url: str, word: str | None = None) -> Result:
        """One webhook, with the fallback address when the first fails; acts on the TwiML."""
        params = inbound_params(message)
        if word is not None and self._carrier.config.advanced_optout:
            params["OptOutType"] = word
        result = await self._deliver(message, url, params)
        fallback = self._carrier.config.fallback_url
        if not result.ok and fallback is not None:
            params |= {"ErrorCode": _WEBHOOK_ERROR, "ErrorUrl": url.partition("#")[0]}
            result = await self._deliver(message, fallback, params)
        if result.ok:
            for body in replies_in(result.body):
                reply = self.answer(message, body, carrier_own=False)
                self._carrier.log.write(
                    "create",
                    sid=reply.sid,
                    to=reply.to,
                    **{"from": reply.sender},
                    body=body,
                    direction=reply.direction,
                )
        return result

    async def _deliver(self, message: Message, url: str, params: dict[str, str]) -> Result:
        note: dict[str, Any] = {"sid": message.sid, "to": message.to, "from": message.sender}
        return await self._carrier.courier.deliver(
            Job(
                kind="inbound-webhook",
                url=url,
                params=params,
                token=self._carrier.token(message.account),
                note=note,
            )
        )


def inbound_params(message: Message) -> dict[str, str]:
    """The form Twilio posts for an inbound text."""
    params = {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": message.sid,
        "NumMedia": str(len(message.media)),
        "ToCity": "",
        "FromZip": "",
        "SmsSid": message.sid,
        "FromState": "",
        "SmsStatus": "received",
        "FromCity": "",
        "Body": message.body,
        "FromCountry": "US",
        "To": message.to,
        "ToZip": "",
        "NumSegments": str(message.segments),
        "MessageSid": message.sid,
        "AccountSid": message.account,
        "From": message.sender,
        "ApiVersion": "2010-04-01",
    }
    if message.service is not None:
        params["MessagingServiceSid"] = message.service
    for index, (url, content_type) in enumerate(message.media):
        params[f"MediaUrl{index}"] = url
        params[f"MediaContentType{index}"] = content_type
    return params


def replies_in(twiml: str) -> list[str]:
    """The texts of a TwiML answer's <Message> verbs; none when it is not TwiML."""
    if "<Message" not in twiml:
        return []
    try:
        # The answer comes from the product under test on this machine, and expat bounds entities.
        root = ET.fromstring(twiml)  # noqa: S314
    except ET.ParseError:
        return []
    bodies = ("".join(message.itertext()).strip() for message in root.iter("Message"))
    return [body for body in bodies if body]
