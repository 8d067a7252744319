"""The composition root: from settings to the services, the carrier and the nudges."""

import queue
import threading
from collections.abc import Sequence
from functools import partial

from messages.gateway import CarrierUnavailable
from messages.gateways.twilio import TwilioGateway
from messages.templates import shipped
from records import clinics
from records.base import Database
from records.keys import open_vault
from schedules.clinic import ClinicFile
from worker import app, crashpoints
from worker.carrier import Carrier
from worker.clock import SystemClock
from worker.logs import get_logger
from worker.paging import fallback, paths
from worker.process import WorkerProcess
from worker.services import Services, no_nudge
from worker.settings import Settings, SettingsError
from worker.steps import outcomes

log = get_logger(__name__)


class Nudger:
    """Publishes nudges from a thread of its own, so that a hung broker delays nobody.

    Equal nudges that wait are published once; when too many wait, the tick will find the work.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._waiting: queue.Queue[tuple[str, tuple[str, ...]] | None] = queue.Queue(limit)
        self._known: set[tuple[str, tuple[str, ...]]] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nudger", daemon=True)
        self._thread.start()

    def __call__(self, step: str, *ids: str) -> None:
        """Ask the workers for `step` on these ids, soon."""
        nudge = (step, ids)
        with self._lock:
            if nudge in self._known or self._waiting.full():
                return
            self._known.add(nudge)
            self._waiting.put_nowait(nudge)

    def _run(self) -> None:
        while (nudge := self._waiting.get()) is not None:
            with self._lock:
                self._known.discard(nudge)
            try:
                app.publish(nudge[0], *nudge[1])
            except Exception as error:  # noqa: BLE001  Whatever the broker raises, the tick looks.
                log.warning("nudge_failed", step=nudge[0], error=type(error).__name__)

    def close(self) -> None:
        """Publish what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=5)


def connect(
    settings: Settings, *, application: str, nudging: bool = True, pool_size: int = 8
) -> Services:
    """Return the services of a process. Raises what the database or the keys object to."""
    app.configure(settings.redis_url.get_secret_value(), settings.dispatch_interval)
    url = settings.database_url.get_secret_value()
    database = Database.connect(url, application=application, pool_size=pool_size)
    with database.transaction() as session:
        vault = open_vault(session, settings.keys)
    return Services(
        settings=settings,
        database=database,
        vault=vault,
        clock=SystemClock(settings.clock_offset),
        catalog=shipped(),
        nudge=Nudger() if nudging else no_nudge,
        crashpoint=crashpoints.crashpoint,
    )


def gateway(settings: Settings) -> TwilioGateway:
    """Return the gateway to the carrier that the settings name; call it on a running loop."""
    return TwilioGateway(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        api_url=settings.carrier_url,
        in_flight=settings.requests_in_flight,
        crashpoint=crashpoints.crashpoint,
    )


def refuse_unsafe(
    settings: Settings, services: Services, *, asking: fallback.Ask = fallback.ask
) -> None:
    """Raise SettingsError in live mode where nobody would surely be reached.

    By a page (care rule 13), and by a patient while we are away (care rule 14).
    """
    if settings.mode != "live":
        return
    with services.database.transaction() as session:
        everyone = clinics.all_clinics(session)
        for clinic in everyone:
            if not clinic.can_be_read:
                # The others' texts may not wait for it; `aftercare doctor` says what is wrong.
                log.critical("clinic_file_unreadable", clinic_id=str(clinic.id))
        files = [clinic.file for clinic in everyone if clinic.can_be_read]
    found = [*paths.faults(settings, files), *_fallback_faults(settings, files, asking)]
    if found:
        raise SettingsError("\n".join(found))


def _fallback_faults(
    settings: Settings, files: Sequence[ClinicFile], asking: fallback.Ask
) -> list[str]:
    """Return what is wrong with the carrier's fallback; a carrier that is away stops no start."""
    try:
        return list(fallback.faults(settings, files, asking=asking))
    except CarrierUnavailable as error:
        log.warning("fallback_not_checked", reason=error.reason, http_status=error.http_status)
        return []


def worker_process(settings: Settings) -> WorkerProcess:
    """Return a worker process, ready to start its timer and to run steps."""
    services = connect(settings, application="worker", pool_size=16)
    refuse_unsafe(settings, services)
    carrier = Carrier(
        partial(gateway, settings),
        in_flight=settings.requests_in_flight,
        write=partial(outcomes.write, services),
    )
    return WorkerProcess(services, carrier)
