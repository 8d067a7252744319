"""What `aftercare doctor` looks at, each with a verdict and, where it is bad, the mend.

Each check is a function of its own that cannot keep the others from running: whatever it raises is
itself a finding.
"""

import asyncio
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import partial
from types import MappingProxyType

import redis

from cli.errors import explain
from messages import wording
from messages.gateway import CarrierUnavailable
from messages.gateways.twilio import TwilioGateway
from messages.templates import shipped
from records import clinics, gauges, intake, migrate, progress
from records.base import Database, Session, database_now
from records.clinics import Clinic
from records.keys import open_vault
from worker import crashpoints, protocols
from worker.clinicfiles import unfit_names
from worker.clock import SystemClock
from worker.counting import counted
from worker.rendering import usual_values
from worker.settings import Settings
from worker.steps import deactivations

_CLOCK_SLACK_SECONDS = 5
#: Sending holds while the clocks differ by more than this (docs/architecture.md, Time).
_CLOCK_LIMIT_SECONDS = 60
_QUEUE_LATE_SECONDS = 60
_SILENT_SECONDS = 30
#: The list of a day comes on the next; when it is so late, the carrier refuses it.
_LISTS_BEHIND, _CATCHES_UP_SECONDS = timedelta(days=5), 3600
_WEB_SECONDS = 5
_REDIS_SECONDS = 5


class Verdict(StrEnum):
    """How a check ended. Only `wrong` makes the command fail."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; `mend` says what to do about it."""

    check: str
    verdict: Verdict
    message: str
    mend: str = ""


Found = Iterator[Finding]
Check = Callable[[Database, Settings], Found]
_NONE: Mapping[str, Check] = MappingProxyType({})


def ok(check: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check=check, verdict=Verdict.OK, message=message)


def note(check: str, message: str, mend: str = "") -> Finding:
    """Return what is allowed, and better known."""
    return Finding(check=check, verdict=Verdict.NOTE, message=message, mend=mend)


def wrong(check: str, message: str, mend: str) -> Finding:
    """Return that something is not as it has to be."""
    return Finding(check=check, verdict=Verdict.WRONG, message=message, mend=mend)


def everything(settings: Settings, further: Mapping[str, Check] = _NONE) -> Found:
    """Run all checks and `further` ones; those of the database only where it can be read."""
    yield from mode(settings)
    yield from armed()
    yield from proxies(settings)
    database = Database.connect(settings.database_url.get_secret_value(), application="doctor")
    try:
        schema_found = list(_guarded("database", lambda: schema(database)))
        yield from schema_found
        if all(found.verdict is not Verdict.WRONG for found in schema_found):
            yield from _guarded("keys", lambda: keys(database, settings))
            yield from _guarded("clock", lambda: clock(database, settings))
            yield from _guarded("clinics", lambda: senders(database, settings))
            yield from _guarded("processes", lambda: processes(database))
            yield from _guarded("queues", lambda: queues(database, settings))
            yield from _guarded("numbers", lambda: given_up_numbers(database, settings))
            yield from _guarded("carrier", lambda: carrier(database, settings))
            for name, check in further.items():
                yield from _guarded(name, partial(check, database, settings))
    finally:
        database.close()
    yield from _guarded("redis", lambda: broker(settings))
    yield from _guarded("public address", lambda: public_address(settings))


def _guarded(check: str, run: Callable[[], Found]) -> Found:
    try:
        yield from run()
    except Exception as error:  # noqa: BLE001  A check that fails is what the doctor is for.
        told = explain(error)
        message = told[0] if told else f"it can't be checked ({type(error).__name__})"
        yield wrong(check, message, "Mend this first, then run doctor again.")


def mode(settings: Settings) -> Found:
    """Say whom texts can reach, and whether time is shifted."""
    yield ok("settings", f"all are there and readable; mode {settings.mode}")
    if settings.mode == "sandbox":
        yield note("mode", "sandbox: texts go to the sandbox carrier and reach nobody")
    if settings.mode == "trial":
        yield note(
            "mode", f"trial: only {counted(len(settings.trial_numbers), 'number')} can be texted"
        )
    if settings.clock_offset:
        yield note("clock", f"all processes must run with the offset {settings.clock_offset:g} s")


def armed() -> Found:
    """Find a crashpoint that a test left armed."""
    variable = crashpoints.VARIABLE
    if os.environ.get(variable):
        yield wrong(variable, "it is set: a process will kill itself there", "Unset it.")


def proxies(settings: Settings) -> Found:
    """Say whose word is taken for where somebody signs in from."""
    if settings.trusted_proxies:
        named = ", ".join(
            str(each.network_address if each.num_addresses == 1 else each)
            for each in settings.trusted_proxies
        )
        yield ok("proxy", f"where somebody signs in from is believed of {named}")
    elif settings.public_url.startswith("https://"):
        message = (
            "none is named, so that everybody signs in from one address: five wrong passwords of "
            "anybody's keep a colleague out for 15 minutes"
        )
        mend = "Set AFTERCARE_TRUSTED_PROXIES to the address that the TLS proxy connects from."
        yield note("proxy", message, mend)


def schema(database: Database) -> Found:
    """Check that the database answers and has the schema this version needs."""
    with database.engine.connect() as connection:
        current = migrate.current(connection)
    if current == migrate.newest():
        yield ok("database", f"it answers; the schema is at {current}")
    else:
        message = f"the schema is at {current or 'nothing'}, this version needs {migrate.newest()}"
        yield wrong("database", message, "Run `aftercare db upgrade`.")


def keys(database: Database, settings: Settings) -> Found:
    """Check that the configured keys open what is sealed."""
    with database.transaction() as session:
        open_vault(session, settings.keys)
    yield ok("keys", "they open what is sealed")
    if len(settings.keys) > 1:
        mend = "Run `aftercare keys rotate`, then take the old keys away."
        yield note("keys", f"{len(settings.keys)} keys are configured", mend)


def clock(database: Database, settings: Settings) -> Found:
    """Compare this machine's clock with the database's."""
    with database.transaction() as session:
        theirs = database_now(session)
    ours = SystemClock(settings.clock_offset).now() - timedelta(seconds=settings.clock_offset)
    apart = abs((ours - theirs).total_seconds())
    if apart <= _CLOCK_SLACK_SECONDS:
        yield ok("clock", "this machine and the database agree")
        return
    message = f"this machine and the database differ by {apart:.0f} s"
    mend = "Let both take the time from a time server (NTP)."
    if apart > _CLOCK_LIMIT_SECONDS:
        yield wrong("clock", f"{message}, so nothing is sent", mend)
    else:
        yield note("clock", message, mend)


def senders(database: Database, settings: Settings) -> Found:
    """Check that each clinic has a sender that works, and a file that fits the mode."""
    with database.transaction() as session:
        everyone = clinics.all_clinics(session)
        if not everyone:
            yield note("clinics", "there is none yet", "Run `aftercare clinic apply FILE.yaml`.")
        for clinic in everyone:
            yield from _clinic(session, clinic, settings)
            yield from _unreadable(session, clinic)


def _clinic(session: Session, clinic: Clinic, settings: Settings) -> Found:
    check = f"clinic {clinic.key}"
    apply = "Apply the clinic's file again."
    if clinic.stand_in is not None or not clinic.can_be_read:
        goes_on = "the one before holds" if clinic.can_be_read else "the clinic stands still"
        yield wrong(check, f"its file can't be read; {goes_on}", apply)
    if not clinic.can_be_read:
        return
    sender = intake.current_sender(session, clinic.id)
    if sender is None:
        yield wrong(check, "it has no sender", apply)
    elif sender.breaker_opened_at is not None:
        reason = sender.breaker_reason or "the carrier refuses the account"
        mend = "Mend it in the carrier's console; texts wait and go on by themselves."
        yield wrong(check, f"its sender is held back: {reason}", mend)
    else:
        yield ok(check, "it has a sender")
    if settings.mode != "sandbox" and clinic.file.needs_sandbox:
        message = "its file allows what only sandbox mode takes (hours, or a short wait)"
        yield wrong(check, message, "Mend send_window and unknown in the file, and apply it.")
    for unfit in unfit_names(clinic.file):
        yield wrong(check, f"texts that say it do not go: {unfit}", "Apply a file without it.")
    for fault in wording.faults(shipped(), clinic.file.own_texts(), usual_values(clinic.file)):
        told = f"{fault.template} ({fault.language}) goes in the shipped words: {fault.message}"
        yield wrong(check, told, f"{fault.mend} Mend wording in the file, and apply it.")
    now = SystemClock(settings.clock_offset).now()
    if clinics.is_paused(clinic.paused_at, clinic.paused_until, now):
        yield note(check, "its started texts are paused", "Run `aftercare unpause` to go on.")
    if not clinic.file.protocols:
        yield note(check, "no protocol is switched on", "Name some under protocols, and apply.")


def _unreadable(session: Session, clinic: Clinic) -> Found:
    mend = "Apply the clinic's file again; one of your own, publish anew without the fault."
    for name, error in protocols.unreadable(protocols.of_clinic(session, clinic.id)):
        told = f"nobody who follows {name} can be planned, since it can't be read: {error}"
        yield wrong(f"clinic {clinic.key}", told, mend)


def processes(database: Database) -> Found:
    """Check that worker and beat make progress."""
    with database.transaction() as session:
        ages = progress.ages(session)
    workers = [age for name, age in ages.items() if name.startswith("worker:")]
    for name, found in (("worker", min(workers, default=None)), ("beat", ages.get("beat"))):
        if found is not None and found <= _SILENT_SECONDS:
            yield ok(name, f"it made progress {found:.0f} s ago")
            continue
        since = "none was ever seen" if found is None else f"no progress for {found:.0f} s"
        if name == "worker":
            yield wrong(name, since, "Start `aftercare worker`: without one no text goes.")
        else:
            yield note(name, since, "Start `aftercare beat`; workers tick by themselves meanwhile.")


def given_up_numbers(database: Database, settings: Settings) -> Found:
    """Say how far the carrier's lists of numbers that were given up have been read."""
    check = "numbers given up"
    with database.transaction() as session:
        read = progress.details(session, deactivations.MARK).get("day")
        age = progress.ages(session).get(deactivations.MARK, 0.0)
    if read is None:
        yield note(check, "no list was read yet", "The worker begins within ten minutes.")
        return
    behind = SystemClock(settings.clock_offset).now().date() - date.fromisoformat(read)
    # The first look reads those of 45 days, and is seen to go on.
    if behind > _LISTS_BEHIND and age > _CATCHES_UP_SECONDS:
        mend = "See deactivations_put_off in the worker's log: the account may not get the lists."
        yield note(check, f"the carrier's lists are read until {read}", mend)
    else:
        yield ok(check, f"the carrier's lists are read until {read}")


def _waiting(unread: int) -> str:
    return counted(unread, "waits", "wait")


def queues(database: Database, settings: Settings) -> Found:
    """Check that nothing waits longer than it should, and that nothing is astray."""
    now = SystemClock(settings.clock_offset).now()
    with database.transaction() as session:
        state = gauges.read(session, now=now)
    late, unread = state.oldest_due_age, state.oldest_unread_age
    if late > _QUEUE_LATE_SECONDS:
        due = counted(state.due, "text is due", "texts are due")
        message = f"{due}, the oldest for {late:.0f} s"
        yield wrong("texts due", message, "Look at the worker's log, the breaker and pauses.")
    else:
        yield ok("texts due", f"{state.due} due, the oldest for {late:.0f} s")
    if unread > _QUEUE_LATE_SECONDS:
        message = f"{_waiting(state.unread)} to be read, the oldest for {unread:.0f} s"
        yield wrong("replies", message, "Look at the worker's log: replies are read by it.")
    else:
        yield ok("replies", f"{_waiting(state.unread)} to be read")
    if state.unknown:
        message = f"{counted(state.unknown, 'text')} may or may not have been sent; we are looking"
        yield note("unknown", message)
    if state.strays:
        message = f"{counted(state.strays, 'webhook')} fitted no clinic"
        mend = "Check that every texting number stands under sender.numbers of its clinic."
        yield note("webhooks", message, mend)
    if state.overdue_follow_ups:
        message = f"{state.overdue_follow_ups} are overdue"
        yield note("follow-ups", message, "See `aftercare followups --status open`.")


def carrier(database: Database, settings: Settings) -> Found:
    """Check that the carrier takes the credentials."""
    with database.transaction() as session:
        numbers = [clinic.file.phone for clinic in clinics.all_clinics(session)]
    if not numbers:
        return
    try:
        asyncio.run(_ask(settings, numbers[0]))
    except CarrierUnavailable as error:
        refused = error.http_status in {401, 403}
        mend = (
            "Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."
            if refused
            else "Check TWILIO_API_URL and this machine's way out; start `aftercare sandbox` in "
            "sandbox mode."
        )
        yield wrong("carrier", str(error), mend)
    else:
        yield ok("carrier", "it answers and takes the credentials")


async def _ask(settings: Settings, number: str) -> None:
    gateway = TwilioGateway(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        api_url=settings.carrier_url,
        in_flight=1,
    )
    try:
        await gateway.find(to=number, limit=1)
    finally:
        await gateway.close()


def broker(settings: Settings) -> Found:
    """Check that Redis answers. Texts go without it, a few seconds later."""
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
    try:
        client.ping()
    except (redis.RedisError, OSError):
        mend = "Check REDIS_URL and start Redis; workers go on by their own timers meanwhile."
        yield wrong("redis", "it does not answer", mend)
    else:
        yield ok("redis", "it answers")
    finally:
        client.close()


def public_address(settings: Settings) -> Found:
    """Check that PUBLIC_URL leads to our web process, as far as this machine can tell."""
    if _status(f"{settings.public_url}/healthz") == 200:
        yield ok("public address", f"{settings.public_url} leads to the web process")
        return
    message = f"nothing of ours answers at {settings.public_url}/healthz"
    mend = "Start `aftercare web`, and check the proxy and PUBLIC_URL: replies come in there."
    yield wrong("public address", message, mend)


def _status(url: str) -> int | None:
    """Return the HTTP status of an address, None where nobody answers."""
    try:
        # The settings admit http and https only.
        with urllib.request.urlopen(url, timeout=_WEB_SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
