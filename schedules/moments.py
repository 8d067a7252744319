"""Turns a protocol's moments into instants for one enrollment: anchors, local days, clock times.

In-person visits count days and clock times where the clinic is, since "the day before" and "no
food after 2 AM" are about arriving there. Virtual visits, check-ins and quit dates count where the
patient is. The send window is always the patient's (see `placement`). Calendar arithmetic is by
local day; a clock time that does not exist, or comes twice, is settled by `windows.first_instant`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schedules.facts import (
    AppointmentFacts,
    ClinicFacts,
    Dose,
    EnrollmentFacts,
    PatientFacts,
    VisitStatus,
)
from schedules.protocol import NEWS_ANCHORS, Anchor, Moment, StaysOn
from schedules.unrecorded import unrecorded_closing
from schedules.windows import SendWindow, first_instant

MIDNIGHT = time(0)
ONE_DAY = timedelta(days=1)
DOSED = (Dose.GIVEN, Dose.PARTIAL)


@lru_cache(maxsize=65_536)
def local_instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Give `windows.first_instant`, remembered: thousands of patients share a day and a clock."""
    return first_instant(day, clock, zone)


def days_on(stays_on: StaysOn) -> int:
    """Give how many local days on from its anchor a wording is true."""
    return {StaysOn.DAY_BEFORE: -1, StaysOn.MORNING_AFTER: 1}.get(stays_on, 0)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give the first instant of a local day and the first of the next."""
    return local_instant(day, MIDNIGHT, zone), local_instant(day + ONE_DAY, MIDNIGHT, zone)


@dataclass(slots=True, kw_only=True, eq=False)
class Frame:
    """Everything that one enrollment's moments count from.

    `zone` does the calendar arithmetic, `zones` and `window` say when the patient may be texted.
    `known_at` is when the anchor became known: what was due before it is late.
    """

    enrollment: EnrollmentFacts
    patient: PatientFacts
    clinic: ClinicFacts
    visit: AppointmentFacts | None
    zone: ZoneInfo
    zones: tuple[ZoneInfo, ...]
    window: SendWindow
    known_at: datetime
    now: datetime
    #: All visits of the patient, for what depends on more than this one.
    appointments: Sequence[AppointmentFacts] = ()

    def base(self, anchor: Anchor) -> datetime | date | None:
        """Give what an anchor stands for here, or None when it has not happened."""
        if anchor in _PLAIN:
            return _PLAIN[anchor](self)
        if anchor in (Anchor.FIRST_DOSE, Anchor.LAST_DOSE):
            doses = doses_of(self.appointments)
            return None if not doses else doses[0 if anchor is Anchor.FIRST_DOSE else -1]
        found = None if self.visit is None else _of_visit(self.visit, anchor, self.clinic)
        if found is not None and anchor in NEWS_ANCHORS and found < self.enrollment.enrolled_at:
            return None  # Old news when this protocol was switched on.
        if found is not None and anchor is Anchor.UNRECORDED_CLOSING:
            return found if self._has_come(found) else None
        return found

    def _has_come(self, closing: datetime) -> bool:
        """Whether a day has closed, and was still that day when its visit became known.

        Before, the end may yet be recorded. And a file of past visits asks nobody about tonight.
        """
        return closing <= self.now and self.day_of(self.known_at) <= self.day_of(closing)

    def day_of(self, base: datetime | date) -> date:
        """Give the local calendar day of an anchor."""
        return base.astimezone(self.zone).date() if isinstance(base, datetime) else base

    def resolve(self, moment: Moment, base: datetime | date, day_offset: int = 0) -> datetime:
        """Give the instant (UTC) of a moment, `day_offset` local days on for a repeat."""
        if moment.minutes is not None:
            return self._elapsed(moment, base, day_offset)
        day = self.day_of(base) + timedelta(days=(moment.days or 0) + day_offset)
        clock = moment.clock
        if moment.own_hour:
            clock = self.patient.check_in_time or self._while_staffed(day) or clock
        if clock is None:
            clock = base.astimezone(self.zone).time() if isinstance(base, datetime) else MIDNIGHT
        return local_instant(day, clock, self.zone)

    def _while_staffed(self, day: date) -> time | None:
        """Give the hour at which an answer still finds somebody, where a clinic needs that."""
        staffed, lead = self.clinic.staffed, self.clinic.before_closing
        if lead is None or staffed is None or not staffed.is_staffed_day(day):
            return None
        closing = staffed.closing(local_instant(day, MIDNIGHT, staffed.zone))
        return (closing - lead).astimezone(self.zone).time()

    def _elapsed(self, moment: Moment, base: datetime | date, day_offset: int) -> datetime:
        start = base if isinstance(base, datetime) else local_instant(base, MIDNIGHT, self.zone)
        if start.tzinfo is UTC and not day_offset and moment.between is None:
            # Most moments: hours after a text's own minute. Nothing local is asked of them.
            return start + timedelta(minutes=moment.minutes or 0)
        if day_offset:
            wall = start.astimezone(self.zone)
            start = local_instant(wall.date() + timedelta(days=day_offset), wall.time(), self.zone)
        found = start.astimezone(UTC)
        if moment.minutes:
            found += timedelta(minutes=moment.minutes)
        if moment.between is None:
            return found
        day = start.astimezone(self.zone).date()
        low, high = (local_instant(day, clock, self.zone) for clock in moment.between)
        return min(max(found, low), high)


_PLAIN: dict[Anchor, Callable[[Frame], datetime | date | None]] = {
    Anchor.ENROLLMENT: lambda frame: frame.enrollment.anchor_day,
    Anchor.CONSENT: lambda frame: frame.enrollment.enrolled_at,
    Anchor.QUIT_DATE: lambda frame: frame.patient.quit_date,
    Anchor.LAPSE: lambda frame: frame.patient.lapsed_at,
}


def doses_of(appointments: Iterable[AppointmentFacts]) -> list[datetime]:
    """Give the check-outs of the visits at which a dose was given, wholly or partly, in order."""
    return sorted(
        visit.checked_out_at
        for visit in appointments
        if visit.checked_out_at is not None and visit.dose in DOSED
    )


def _of_visit(visit: AppointmentFacts, anchor: Anchor, clinic: ClinicFacts) -> datetime | None:
    given = _VISIT_INSTANTS.get(anchor)
    return None if given is None else given(visit, clinic)


def _booking_news(visit: AppointmentFacts, _: ClinicFacts) -> datetime | None:
    return visit.booked_at if visit.booked_at == visit.announced_at else None


def _move_news(visit: AppointmentFacts, _: ClinicFacts) -> datetime | None:
    """Give when it moved; a visit booked again at another time is news of a booking only."""
    moved = visit.moved_at
    return moved if moved == visit.announced_at and moved != visit.booked_at else None


def _cancellation_news(visit: AppointmentFacts, _: ClinicFacts) -> datetime | None:
    gone = visit.status is VisitStatus.CANCELLED
    return visit.cancelled_at if gone and visit.cancelled_at == visit.announced_at else None


def _told_time(visit: AppointmentFacts, clinic: ClinicFacts) -> datetime | None:
    """Give when the patient would act on an old time that lay ahead as it ceased to hold.

    Who is to come sooner has to act on the new time first: news of it is of no use after that.
    """
    told, gone = visit.told_start, visit.status is VisitStatus.CANCELLED
    since = visit.cancelled_at if gone else visit.moved_at
    if told is None or since is None or told <= since:
        return None
    first = told if gone else min(told, visit.starts_at)
    return first - _food(visit, clinic) if visit.kind == "dosing" else first


def _food(visit: AppointmentFacts, clinic: ClinicFacts) -> timedelta:
    return timedelta(hours=clinic.fasting(visit.route)[0])


def _drink(visit: AppointmentFacts, clinic: ClinicFacts) -> timedelta:
    return timedelta(hours=clinic.fasting(visit.route)[1])


_VISIT_INSTANTS: dict[Anchor, Callable[[AppointmentFacts, ClinicFacts], datetime | None]] = {
    Anchor.VISIT_START: lambda visit, _: visit.starts_at,
    Anchor.VISIT_END: lambda visit, _: visit.ends_at,
    Anchor.BOOKING: lambda visit, _: visit.booked_at,
    Anchor.ANNOUNCED_BOOKING: _booking_news,
    Anchor.ANNOUNCED_MOVE: _move_news,
    Anchor.ANNOUNCED_CANCELLATION: _cancellation_news,
    Anchor.CHECK_OUT: lambda visit, _: visit.checked_out_at,
    Anchor.DOSE_CHECK_OUT: lambda visit, _: visit.checked_out_at if visit.dose in DOSED else None,
    Anchor.UNRECORDED_CLOSING: unrecorded_closing,
    Anchor.NO_SHOW: lambda visit, _: (
        visit.no_show_at if visit.status is VisitStatus.NO_SHOW else None
    ),
    Anchor.FOOD_CUT_OFF: lambda visit, at: visit.starts_at - _food(visit, at),
    Anchor.DRINK_CUT_OFF: lambda visit, at: visit.starts_at - _drink(visit, at),
    Anchor.TOLD_TIME: _told_time,
}


def frame_of(
    enrollment: EnrollmentFacts,
    patient: PatientFacts,
    clinic: ClinicFacts,
    now: datetime,
    appointments: Sequence[AppointmentFacts] = (),
) -> Frame:
    """Gather what an enrollment's moments count from. `appointments` are all of the patient's."""
    visit = enrollment.appointment
    in_person = visit is not None and visit.modality != "virtual"
    known = enrollment.enrolled_at
    return Frame(
        enrollment=enrollment,
        patient=patient,
        clinic=clinic,
        visit=visit,
        zone=clinic.zone if in_person else patient.zone or clinic.zone,
        zones=(patient.zone,) if patient.zone else clinic.candidate_zones or (clinic.zone,),
        window=patient.window or clinic.window,
        known_at=known if visit is None else max(known, visit.known_at),
        now=now,
        appointments=appointments,
    )
