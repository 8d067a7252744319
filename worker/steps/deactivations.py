"""Once a day: a number that its carrier gave up is texted no more until it is proved again.

    the carrier's list of a day -> opt_out, follow_up

After some weeks such a number goes to somebody else, who must not read what is meant for a
patient. Whoever took their number along to another carrier is listed as well: a text from it, or a
consent that staff record, proves it (`worker.unreachable`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from messages.gateway import CarrierUnavailable
from records import clinics, intake, patients, progress
from records.base import Session
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp, wanted
from worker import unplanned, unreachable
from worker.carrier import Carrier
from worker.logs import get_logger
from worker.opening import open_follow_ups
from worker.services import Services

log = get_logger(__name__)

MARK = "deactivations"
_ONE_DAY = timedelta(days=1)
#: So long a number rests before another may have it (47 CFR 52.15(f)(1)(ii): 45 days at least), so
#: that whoever was listed before that has lost it to nobody, or is known by texts that came back.
RESTS = timedelta(days=45)
#: A list that is not there after so long will not come.
_COMES_WITHIN = timedelta(days=3)
_READ_FOR_SECONDS = 120
#: Each list is some hundred thousand numbers: the first look, of 45 of them, takes five turns.
_A_TURN = 9

#: (clinic, keyed hash of a number), and the patients who have it.
Holders = Mapping[bytes, Mapping[UUID, Sequence[UUID]]]


def run(services: Services, carrier: Carrier) -> Counter[str]:
    """Read the lists of days that were not read, the oldest first, some at a turn.

    Counts: `listed`, `suspended` numbers; `put_off` while the carrier can't say; `no_list`.
    """
    counts: Counter[str] = Counter()
    for _ in range(_A_TURN):
        last = services.now.astimezone(UTC).date() - _ONE_DAY
        day = _next_day(services, last)
        if day > last:
            break
        found = _read(services, carrier, day, last)
        counts += found
        if found["put_off"]:
            break
    return +counts


def _read(services: Services, carrier: Carrier, day: date, last: date) -> Counter[str]:
    """Read the list of one day, and note that it is read; `last` is the newest that can be."""
    try:
        listed = carrier.call(carrier.gateway.deactivated(day=day), timeout=_READ_FOR_SECONDS)
    except (CarrierUnavailable, TimeoutError) as error:
        log.warning("deactivations_put_off", day=day.isoformat(), error=type(error).__name__)
        return Counter(put_off=1)
    if listed is None and last - day < _COMES_WITHIN:
        return Counter(put_off=1)
    counts = suspend(services, listed, day) if listed is not None else Counter(no_list=1)
    with services.database.transaction() as session:
        progress.mark(session, MARK, {"day": day.isoformat(), **counts})
    return counts


def _next_day(services: Services, last: date) -> date:
    with services.database.transaction() as session:
        kept = progress.details(session, MARK).get("day")
    first = last - RESTS + _ONE_DAY
    return max(first, date.fromisoformat(kept) + _ONE_DAY) if kept else first


def suspend(services: Services, listed: Iterable[str], day: date) -> Counter[str]:
    """Suspend those of these numbers that patients have and nobody has proved since."""
    with services.database.transaction() as session:
        holders = _holders(session)
    # The list is as long as a telephone book, and is walked through once.
    listed_at = datetime.combine(day + _ONE_DAY, time(0), tzinfo=UTC)
    counts: Counter[str] = Counter()
    for number in listed:
        counts["listed"] += 1
        blind = patients.phone_blind(services.vault, number)
        for clinic_id, holding in holders.get(blind, {}).items():
            counts["suspended"] += _suspend(services, clinic_id, blind, holding, listed_at)
    return +counts


def _holders(session: Session) -> Holders:
    found: defaultdict[bytes, defaultdict[UUID, list[UUID]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for patient_id, clinic_id, blind in patients.numbers_in_use(session):
        found[blind][clinic_id].append(patient_id)
    return found


def _suspend(
    services: Services,
    clinic_id: UUID,
    blind: bytes,
    holding: Sequence[UUID],
    listed_at: datetime,
) -> bool:
    """Suspend one number for all at a clinic who have it, and tell staff; return whether it was."""
    now = services.now
    with services.database.transaction() as session:
        people = [intake.lock_patient(session, each) for each in sorted(holding)]
        people = [each for each in people if each.phone_blind == blind and each.status != "closed"]
        if not people or not unreachable.given_up(session, people, listed_at=listed_at, now=now):
            return False
        file = clinics.by_id(session, clinic_id).file_if_any
        for person in people:
            open_follow_ups(
                session,
                clinic_id,
                person.id,
                [_item(file, person.id, now)],
                source_kind="patient",
                source_id=person.id,
                now=now,
            )
    log.info("number_suspended", clinic_id=str(clinic_id), patients=len(people))
    return True


def _item(file: ClinicFile | None, patient_id: UUID, now: datetime) -> WantedFollowUp:
    reason, about = FollowUpReason.NUMBER_DEACTIVATED, str(patient_id)
    if file is None:
        return unplanned.at_once(reason, now=now, about=about)
    return wanted(reason, now=now, staffed=file.staffed(), about=about)
