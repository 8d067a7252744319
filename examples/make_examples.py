"""Writes a sample clinic's patients, visits and events around a given instant.

A reminder is only seen at work when its visit is near, so that the sample's dates follow the clock:
at the given `now` texts of every kind fall due within the next minute or so (30 s after a `now`
that ends in :30). `make demo` runs

    python examples/make_examples.py FOLDER --now 2026-11-23T09:59:30-05:00

with mid-morning in the clinic's zone; the reminder a week ahead goes at 10:00. Besides the two CSV
files that a clinic would import there is `events.csv` (for `aftercare event`) and
`enrollments.csv` (for `aftercare enroll`).
"""  # noqa: INP001 - A script beside its data, not a package.

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

CLINIC = "riverside"
CLINIC_ZONE = "America/New_York"

PATIENT_COLUMNS = (
    "patient_id",
    "clinic",
    "first_name",
    "phone",
    "language",
    "timezone",
    "consent_method",
    "consented_at",
    "consent_purposes",
    "check_in_time",
    "substances",
    "phone_shared",
    "voicemail_ok",
)
APPOINTMENT_COLUMNS = (
    "appointment_id",
    "patient_id",
    "kind",
    "route",
    "starts_at",
    "ends_at",
    "status",
    "location",
    "modality",
    "join_link",
    "setting",
    "dose_number",
)
EVENT_COLUMNS = ("appointment_id", "event", "at", "dose")
ENROLLMENT_COLUMNS = ("patient_id", "protocol", "on")

# Who is who: id, first name, last two digits of +1212555 01.., language, zone, substances.
# Those with a text due at once live where mid-morning in New York lies in the send window.
PEOPLE = (
    ("P-1001", "Ana", "01", "en", "America/New_York", "alcohol"),
    ("P-1002", "Luis", "02", "es", "America/New_York", "alcohol"),
    ("P-1003", "Grace", "03", "en", "America/New_York", "opioid"),
    ("P-1004", "Omar", "04", "en", "America/Chicago", "cocaine"),
    ("P-1005", "Ruth", "05", "en", "America/New_York", "alcohol"),
    ("P-1006", "Carmen", "06", "es", "America/New_York", "nicotine"),
    ("P-1007", "Noah", "07", "en", "America/New_York", "alcohol"),
    ("P-1008", "Elena", "08", "es", "America/Chicago", "opioid"),
    ("P-1009", "Kai", "09", "en", "America/Los_Angeles", "alcohol"),
    ("P-1010", "June", "11", "en", "America/Denver", "alcohol"),
    ("P-1011", "Isaac", "12", "en", "America/New_York", "cocaine"),
    ("P-1012", "Maria", "13", "es", "America/New_York", "alcohol"),
    ("P-1013", "Dev", "14", "en", "America/Phoenix", "meth"),
    ("P-1014", "Leilani", "15", "en", "Pacific/Honolulu", "alcohol"),
    ("P-1015", "Finn", "16", "en", "America/Anchorage", "alcohol"),
    ("P-1016", "Rosa", "17", "es", "America/New_York", "opioid"),
)
# Enrolled in the daily check-in, and asked right at the start.
CHECKED_IN_DAILY = ("P-1004", "P-1011", "P-1016")

# Visits start on whole minutes, so that the first texts are due 25 to 84 s after `now`.
IMPORTED_WITHIN = timedelta(seconds=84)

Row = Mapping[str, str]


def build(now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Give the sample files by name. `now` is aware; `zone` is the clinic's."""
    # The first whole minute that leaves time to import: what was due before counts as booked late.
    soon = (now.astimezone(UTC) + IMPORTED_WITHIN).replace(second=0, microsecond=0)
    today = now.astimezone(zone).date()
    visits = [*_visits_with_texts_now(soon), *_other_visits(soon, today, zone)]
    return {
        "patients.csv": _csv(PATIENT_COLUMNS, (_patient(person, soon) for person in PEOPLE)),
        "appointments.csv": _csv(
            APPOINTMENT_COLUMNS,
            (_appointment(n, visit, zone) for n, visit in enumerate(visits, 2001)),
        ),
        "events.csv": _csv(EVENT_COLUMNS, _events(visits, zone)),
        "enrollments.csv": _csv(ENROLLMENT_COLUMNS, _enrollments(today)),
    }


def _patient(person: tuple[str, ...], soon: datetime) -> Row:
    patient_id, first_name, digits, language, zone, substances = person
    daily = patient_id in CHECKED_IN_DAILY
    return {
        "patient_id": patient_id,
        "clinic": CLINIC,
        "first_name": first_name,
        "phone": f"+121255501{digits}",
        "language": language,
        "timezone": zone,
        "consent_method": "written",
        "consented_at": (soon - timedelta(days=20)).isoformat(timespec="seconds"),
        "consent_purposes": "visits;check_ins;health_questions",
        "check_in_time": f"{soon.astimezone(ZoneInfo(zone)):%H:%M}" if daily else "",
        "substances": substances,
        "phone_shared": "no",
        "voicemail_ok": "yes",
    }


def _visits_with_texts_now(soon: datetime) -> list[dict[str, object]]:
    """Visits of which one text each falls due at `soon` or the minute after."""
    day, minute = timedelta(days=1), timedelta(minutes=1)
    in_two_hours = timedelta(hours=2)
    later = soon + minute
    return [
        _visit("P-1001", "assessment", soon + 2 * day),
        _visit("P-1002", "assessment", later + 2 * day),
        _visit("P-1003", "dosing", soon + 2 * day, route="iv", dose_number=1),
        _visit("P-1004", "dosing", later + 2 * day, route="im", dose_number=2),
        _visit("P-1005", "dosing", soon + day, route="iv", dose_number=3),
        _visit("P-1006", "dosing", later + day, route="lozenge", dose_number=1),
        _visit("P-1007", "dosing", soon + in_two_hours, route="iv", dose_number=2),
        _visit("P-1008", "dosing", later + in_two_hours, route="im", dose_number=1),
        _visit("P-1011", "integration", soon + in_two_hours, virtual=True),
        _visit("P-1012", "integration", soon + day),
        _visit("P-1016", "integration", later + day, virtual=True),
    ]


def _other_visits(soon: datetime, today: date, zone: ZoneInfo) -> list[dict[str, object]]:
    """Visits whose texts come later, move because of the hour, or stay away."""

    def at(days: int, hour: int) -> datetime:
        return datetime.combine(today + timedelta(days=days), time(hour), zone)

    hour = timedelta(hours=1)
    return [
        # A dose given this morning: the evening check waits for 5 PM.
        _visit(
            "P-1012", "dosing", soon - 3 * hour, route="iv", status="checked_out", dose_number=1
        ),
        # In a week: the first reminder is at 10:00 today, if that is still ahead.
        _visit("P-1002", "dosing", at(7, 13), route="im", dose_number=1),
        _visit("P-1009", "dosing", at(7, 13), route="im", dose_number=1),
        _visit("P-1013", "dosing", at(7, 15), route="lozenge", dose_number=4),
        # Reminders that would come before 9 AM where the patient is.
        _visit("P-1010", "integration", soon + 24 * hour, virtual=True),
        _visit("P-1014", "assessment", at(3, 15), virtual=True),
        _visit("P-1015", "integration", at(2, 14), virtual=True),
        # Nobody recorded whether this patient came: staff are asked at +15 min.
        _visit("P-1010", "assessment", soon - timedelta(minutes=14)),
        # What has been.
        _visit("P-1005", "dosing", at(-7, 11), route="iv", status="fulfilled", dose_number=2),
        _visit("P-1011", "integration", at(-1, 11), status="no_show"),
        _visit("P-1008", "followup", at(5, 11), status="cancelled"),
        _visit("P-1001", "followup", at(30, 11)),
    ]


def _visit(
    patient_id: str,
    kind: str,
    starts_at: datetime,
    *,
    route: str = "",
    status: str = "booked",
    virtual: bool = False,
    dose_number: int | None = None,
) -> dict[str, object]:
    hours = 2 if kind == "dosing" else 1
    return {
        "patient_id": patient_id,
        "kind": kind,
        "route": route,
        "starts_at": starts_at,
        "ends_at": starts_at.astimezone(UTC) + timedelta(hours=hours),
        "status": status,
        "virtual": virtual,
        "dose_number": "" if dose_number is None else str(dose_number),
    }


def _appointment(number: int, visit: Mapping[str, object], zone: ZoneInfo) -> Row:
    appointment_id, virtual = f"A-{number}", bool(visit["virtual"])
    return {
        **{key: str(visit[key]) for key in ("patient_id", "kind", "route", "status")},
        "appointment_id": appointment_id,
        "starts_at": _local(visit["starts_at"], zone),
        "ends_at": _local(visit["ends_at"], zone),
        "location": "" if virtual else "Suite 200",
        "modality": "virtual" if virtual else "in_person",
        "join_link": f"https://visit.clinic.test/{number}" if virtual else "",
        "setting": "home" if virtual else "clinic",
        "dose_number": str(visit["dose_number"]),
    }


def _events(visits: Iterable[Mapping[str, object]], zone: ZoneInfo) -> list[Row]:
    """What staff recorded of the doses that were given."""
    return [
        {
            "appointment_id": f"A-{number}",
            # Also of a visit that is fulfilled by now: only a check-out tells of a dose.
            "event": "checked_out",
            "at": _local(visit["ends_at"], zone),
            "dose": "given",
        }
        for number, visit in enumerate(visits, 2001)
        if visit["kind"] == "dosing" and visit["status"] in ("checked_out", "fulfilled")
    ]


def _enrollments(today: date) -> list[Row]:
    started = (today - timedelta(days=4)).isoformat()
    return [
        {"patient_id": patient_id, "protocol": "daily-check-in", "on": started}
        for patient_id in CHECKED_IN_DAILY
    ]


def _local(instant: object, zone: ZoneInfo) -> str:
    if not isinstance(instant, datetime):
        raise TypeError("a visit's times are datetimes")
    return instant.astimezone(zone).isoformat(timespec="minutes")


def _csv(columns: tuple[str, ...], rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main() -> None:
    """Write the files into a folder and say where."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to write; made if missing")
    parser.add_argument("--now", type=datetime.fromisoformat, help="ISO 8601 with an offset")
    parser.add_argument("--zone", type=ZoneInfo, default=ZoneInfo(CLINIC_ZONE))
    given = parser.parse_args()
    now = given.now or datetime.now(UTC)
    if now.tzinfo is None:
        parser.error("--now needs an offset, such as 2026-11-23T10:00:30-05:00")
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, text in build(now, given.zone).items():
        (given.folder / name).write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{given.folder / name}\n")


if __name__ == "__main__":
    main()
