"""Twilio's REST resource `Messages`: create, list, fetch, redact, cancel, delete."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from sandbox import clock, listing, numbers
from sandbox.carrier import Carrier
from sandbox.config import Outcome
from sandbox.errors import ApiError, refusal
from sandbox.faults import Kind
from sandbox.front import api_response, authenticate, form_of, guarded
from sandbox.lifecycle import Lifecycle
from sandbox.spoil import answer
from sandbox.state import FINAL, Message, Status, is_blocked, new_sid, pick_number, pool
from sandbox.webhooks import is_web_address

_LONGEST_BODY = 1600
_LONGEST_VALIDITY = 36_000
_SCHEDULE_FROM, _SCHEDULE_TO = timedelta(seconds=300), timedelta(days=35)
_CANCELLABLE = frozenset({Status.ACCEPTED, Status.SCHEDULED, Status.QUEUED})
_OPTED_OUT = 21610
Form = Mapping[str, str]


class Messages:
    """Handlers for /2010-04-01/Accounts/{account}/Messages..."""

    def __init__(self, carrier: Carrier, lifecycle: Lifecycle) -> None:
        self._carrier = carrier
        self._lifecycle = lifecycle

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}/Messages"
        return [
            web.post(base + ".json", guarded(self._carrier, self.create)),
            web.get(base + ".json", guarded(self._carrier, self.browse)),
            web.get(base + "/{sid}.json", guarded(self._carrier, self.fetch)),
            web.post(base + "/{sid}.json", guarded(self._carrier, self.update)),
            web.delete(base + "/{sid}.json", guarded(self._carrier, self.delete)),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """201 with the new text, or Twilio's refusal."""
        account = authenticate(self._carrier, request)
        form = await form_of(request)
        faults = self._carrier.faults
        if not faults.active:
            return api_response(self._carrier, render(self._create(account, form)), 201)
        made: list[Message] = []

        def act() -> web.Response:
            made.append(self._create(account, form))
            return api_response(self._carrier, render(made[0]), 201)

        phone = numbers.normalise(form.get("To", ""))
        response = await answer(faults, request, act, on="create", phone=phone)
        if made and faults.fire((Kind.EARLY_CALLBACKS,), phone=phone):
            await self._lifecycle.hurry(made[0])
        return response

    def _create(self, account: str, form: Form) -> Message:
        try:
            return self._accept(account, form)
        except ApiError as error:
            kind = "blocked" if error.refusal.code == _OPTED_OUT else "refused"
            self._carrier.log.write(
                kind,
                code=error.refusal.code,
                to=form.get("To"),
                **{"from": form.get("From")},
                service=form.get("MessagingServiceSid"),
                body=form.get("Body"),
                status_callback=form.get("StatusCallback"),
            )
            raise

    def _accept(self, account: str, form: Form) -> Message:
        """Validates in Twilio's order, keeps the text, logs it and starts it on its way."""
        carrier = self._carrier
        to, sender, service, body = self._parties(form)
        callback = self._callback(form, service)
        validity, hold = _validity(form), self._hold(form)
        blocked = is_blocked(
            carrier.store, carrier.config, phone=to, sender=sender, service=service
        )
        asynchronous = carrier.config.async_optout and service is not None
        if blocked and not asynchronous:
            raise ApiError(refusal(_OPTED_OUT))
        message = Message(
            sid=new_sid("MM" if "MediaUrl" in form else "SM"),
            account=account,
            to=to,
            sender=sender,
            body=body,
            direction="outbound-api",
            status=_initial(service, hold),
            segments=numbers.segments(body),
            created=carrier.now(),
            born=carrier.ticks(),
            service=service,
            named_sender="From" in form,
            status_callback=callback,
            validity=validity,
        )
        carrier.store.add(message)
        carrier.log.write(
            "create",
            sid=message.sid,
            to=to,
            **{"from": sender},
            service=service,
            body=body,
            status=message.status,
            segments=message.segments,
            status_callback=callback,
            validity=form.get("ValidityPeriod"),
        )
        outcome = Outcome(status="failed", error_code=_OPTED_OUT) if blocked else None
        self._lifecycle.begin(message, outcome=outcome, hold=hold)
        return message

    def _parties(self, form: Form) -> tuple[str, str, str | None, str]:
        if not form.get("To"):
            raise ApiError(refusal(21604))
        to = numbers.recipient(form["To"])
        service = form.get("MessagingServiceSid") or None
        sender = self._sender(form.get("From") or None, service, to)
        if sender == to:
            raise ApiError(refusal(21266, value=to))
        body = form.get("Body", "")
        if not body and not form.get("MediaUrl") and not form.get("ContentSid"):
            raise ApiError(refusal(21602))
        if len(body) > _LONGEST_BODY:
            raise ApiError(refusal(21617))
        return to, sender, service, body

    def _sender(self, named: str | None, service: str | None, to: str) -> str:
        carrier = self._carrier
        if service is not None:
            if len(service) != 34 or not service.startswith("MG"):
                raise ApiError(refusal(21705, value=service))
            choice = pool(carrier.store, carrier.config, service)
            if not choice:
                raise ApiError(refusal(21703, value=service))
            return numbers.sender(named) if named else pick_number(carrier.store, choice, to)
        if named is None:
            raise ApiError(refusal(21603))
        sender = numbers.sender(named)
        if carrier.config.numbers and not carrier.config.owns(sender):
            raise ApiError(refusal(21606, value=sender))
        return sender

    def _callback(self, form: Form, service: str | None) -> str | None:
        callback = form.get("StatusCallback")
        if callback is None:
            return self._carrier.config.status_callback if service is not None else None
        if not is_web_address(callback):
            raise ApiError(refusal(21609, value=callback))
        return callback

    def _hold(self, form: Form) -> float:
        """Seconds until a scheduled text is due; 0 for one to be sent now. ApiError 35114."""
        if form.get("ScheduleType") != "fixed" or not form.get("MessagingServiceSid"):
            # Without a service Twilio drops the scheduling parameters and sends at once.
            return 0.0
        raw = form.get("SendAt", "")
        try:
            ahead = clock.parse(raw).timestamp() - self._carrier.now()
        except ValueError:
            raise ApiError(refusal(35114, value=raw)) from None
        if not _SCHEDULE_FROM.total_seconds() < ahead <= _SCHEDULE_TO.total_seconds():
            raise ApiError(refusal(35114, value=raw))
        return ahead

    async def browse(self, request: web.Request) -> web.StreamResponse:
        """200 with a page, newest first."""
        account = authenticate(self._carrier, request)
        phone = _number(request.query.get("To"))
        return await self._answered(request, "list", lambda: self._browse(account, request), phone)

    def _browse(self, account: str, request: web.Request) -> web.Response:
        query = dict(request.query)
        to, sender = _number(query.get("To")), _number(query.get("From"))
        dated = listing.instants(query, "DateSent")
        lag = self._carrier.faults.lag_seconds()
        cutoff = self._carrier.now() - lag if lag else float("inf")
        found = (
            message
            for message in self._carrier.store.newest_first(to=to, sender=sender)
            if message.account == account
            and message.created <= cutoff
            and (sender is None or message.sender == sender)
            and dated(self._lifecycle.settle(message).sent)
        )
        page = listing.page(found, query, self._carrier.store.messages.get)
        document = listing.envelope("messages", request.path, query, page, self._settled)
        return api_response(self._carrier, document, 200)

    def _settled(self, message: Message) -> dict[str, Any]:
        return render(self._lifecycle.settle(message))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """200 with the text as it stands."""
        message = self._named(request)
        return await self._answered(
            request,
            "fetch",
            lambda: api_response(self._carrier, self._settled(message), 200),
            message.phone,
        )

    async def update(self, request: web.Request) -> web.StreamResponse:
        """Redacts with Body="" or cancels with Status=canceled (30409 when it is too late)."""
        message = self._named(request)
        form = await form_of(request)
        return await self._answered(
            request, "update", lambda: self._update(message, form), message.phone
        )

    def _update(self, message: Message, form: Form) -> web.Response:
        self._lifecycle.settle(message)
        status, body = form.get("Status"), form.get("Body")
        if status is not None:
            if status != Status.CANCELED:
                raise ApiError(refusal(20001, value=status))
            if message.status not in _CANCELLABLE or not message.outbound:
                raise ApiError(refusal(30409))
            self._lifecycle.cancel(message)
            self._carrier.log.write("cancel", sid=message.sid, to=message.to)
        if body is not None:
            if body:
                raise ApiError(refusal(20001, value="Body"))
            message.redacted = True
            self._carrier.log.write("redact", sid=message.sid, to=message.to)
        return api_response(self._carrier, render(message), 200)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """204, or 20009 while the text is still on its way."""
        message = self._named(request)
        return await self._answered(request, "delete", lambda: self._delete(message), message.phone)

    def _delete(self, message: Message) -> web.Response:
        if self._lifecycle.settle(message).steps and message.status not in FINAL:
            raise ApiError(refusal(20009))
        self._carrier.store.delete(message)
        self._carrier.log.write("delete", sid=message.sid, to=message.to)
        return api_response(self._carrier, None, 204)

    def _named(self, request: web.Request) -> Message:
        account, sid = authenticate(self._carrier, request), request.match_info["sid"]
        message = self._carrier.store.messages.get(sid)
        if message is None or message.account != account:
            raise ApiError(refusal(20404, value=request.path))
        return message

    async def _answered(
        self,
        request: web.Request,
        on: str,
        act: Callable[[], web.Response],
        phone: str | None,
    ) -> web.StreamResponse:
        if not self._carrier.faults.active:
            return act()
        return await answer(self._carrier.faults, request, act, on=on, phone=phone)


def _number(raw: str | None) -> str | None:
    return None if raw is None else numbers.normalise(raw) or raw


def _initial(service: str | None, hold: float) -> Status:
    if hold:
        return Status.SCHEDULED
    return Status.QUEUED if service is None else Status.ACCEPTED


def _validity(form: Form) -> int:
    raw = form.get("ValidityPeriod")
    if raw is None:
        return _LONGEST_VALIDITY
    if not raw.isdigit() or not 1 <= int(raw) <= _LONGEST_VALIDITY:
        raise ApiError(refusal(20001, value=f"ValidityPeriod {raw}"))
    return int(raw)


def render(message: Message) -> dict[str, Any]:
    """The Message document. A service's text has no sender and no segments until it is queued."""
    pending = message.status in {Status.ACCEPTED, Status.SCHEDULED} and message.service is not None
    uri = f"/2010-04-01/Accounts/{message.account}/Messages/{message.sid}"
    return {
        "account_sid": message.account,
        "api_version": "2010-04-01",
        "body": "" if message.redacted else message.body,
        "date_created": clock.rfc2822(message.created),
        "date_sent": clock.rfc2822(message.sent),
        "date_updated": clock.rfc2822(message.updated),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": message.error_message,
        "from": None if pending and not message.named_sender else message.sender,
        "messaging_service_sid": message.service,
        "num_media": str(len(message.media)),
        "num_segments": "0" if pending else str(message.segments),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status.value,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }
