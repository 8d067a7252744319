"""The calendar of exact texts: what it shows is what is planned and sent, and it writes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, text

from messages.templates import shipped
from records import patients as people
from records.base import Database, DBAPIError
from records.clinics import by_id
from schedules.clinic import ClinicFile
from schedules.facts import Dose, VisitStatus
from schedules.loader import load, shipped_files
from schedules.planner import plan_patient
from schedules.reasons import SkipReason
from tests.schedules.planning import clinic as place
from tests.schedules.planning import enrolled, patient
from tests.support.world import World
from tests.worker.desk import Desk
from worker.foresight import IF_DOSED, IF_FORGOTTEN, IF_THEN, IF_UNANSWERED
from worker.preview import (
    CONDITIONAL,
    PLANNED,
    SKIPPED,
    Calendar,
    ImaginedVisit,
    PreviewedText,
    Sample,
    preview,
    preview_sample,
)
from worker.reasons import why

NEW_YORK = ZoneInfo("America/New_York")
PROTOCOLS = {name: load(text, name) for name, text in shipped_files().items()}


@pytest.fixture
def clinic(world: World) -> World:
    """The world with its protocols published."""
    world.publish_protocols()
    return world


@pytest.fixture
def file(world: World) -> Iterator[ClinicFile]:
    """The clinic's file."""
    with world.database.transaction() as session:
        yield by_id(session, world.clinic_id).file


def _sample(*names: str, **more: object) -> Sample:
    values: dict[str, object] = {
        "language": "en",
        "zone": NEW_YORK,
        "protocols": [PROTOCOLS[f"{name}.yaml"] for name in names],
    }
    return Sample(**{**values, **more})  # type: ignore[arg-type]


def _by_step(calendar: Calendar, step: str) -> list[PreviewedText]:
    return [one for one in calendar.texts if one.step == step]


_STATE = (
    "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM message_history),"
    " (SELECT count(*) FROM enrollment), (SELECT count(*) FROM appointment),"
    " (SELECT count(*) FROM audit_event), (SELECT count(*) FROM follow_up),"
    " (SELECT count(*) FROM attempt), (SELECT count(*) FROM protocol_version),"
    " (SELECT string_agg(sequencename || ':' || coalesce(last_value::text, '-'), ','"
    "   ORDER BY sequencename) FROM pg_sequences)"
)


def test_a_preview_writes_and_sends_nothing(clinic: World, owner_url: str) -> None:
    """Rows and sequences are what they were, and a database that takes no write is enough."""
    _, patient = clinic.book(starts_in=timedelta(days=9))
    clinic.plan()
    before = clinic.execute(_STATE)
    owner = create_engine(owner_url, isolation_level="AUTOCOMMIT")
    name = owner.url.database
    with owner.connect() as session:
        session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    owner.dispose()
    url = clinic.settings.database_url.get_secret_value()
    reading = Database.connect(url, application="reading")
    services = replace(clinic.services, database=reading)
    preview(services, patient, at=clinic.now, days=366)
    protocol = PROTOCOLS["relapse-prevention-alcohol.yaml"]
    preview(services, patient, at=clinic.now, days=90, protocol=protocol)
    with pytest.raises(DBAPIError, match="read-only"), reading.transaction() as session:
        session.execute(text("DELETE FROM progress"))
    reading.close()
    assert clinic.execute(_STATE) == before
    assert clinic.gateway.ledger == {}


def test_the_texts_shown_are_those_planned_and_sent(clinic: World) -> None:
    """The minute and the words, to the letter."""
    _, patient = clinic.book(starts_in=timedelta(days=9))
    shown = preview(clinic.services, patient, at=clinic.now, days=14)
    clinic.plan()
    rows = {each.step: each.due_at for each in clinic.texts() if each.status == "planned"}
    assert {one.step: one.due_at for one in shown.texts if one.status == PLANNED} == rows
    words = {one.due_at: one.body for one in shown.texts if one.status == PLANNED}
    first = min(rows.values())
    clinic.advance(seconds=(first - clinic.now).total_seconds() + 1)
    clinic.send()
    [sent] = clinic.gateway.ledger.values()
    assert sent.body == words[first]


def test_what_hangs_on_a_dose_is_conditional(clinic: World, file: ClinicFile) -> None:
    """The evening is shown, and that it goes only after a recorded dose."""
    starts_at = datetime(2026, 12, 10, 10, tzinfo=NEW_YORK)
    visit = ImaginedVisit(kind="dosing", route="iv", starts_at=starts_at)
    person = _sample("dosing-visit", "after-dose", "daily-check-in", visits=[visit])
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=14)
    [evening] = _by_step(shown, "after_evening")
    assert (evening.status, evening.condition) == (CONDITIONAL, IF_DOSED)
    assert f"{evening.local_time:%a %H:%M}" == "Thu 17:00"
    assert {one.status for one in _by_step(shown, "visit_2h_ride")} == {PLANNED}
    [dose_day] = [
        one for one in _by_step(shown, "daily_0_10") if one.local_time.date() == starts_at.date()
    ]
    assert (dose_day.status, dose_day.reason) == (SKIPPED, "dose_day")


def test_the_evening_of_a_visit_whose_end_nobody_records_is_conditional(
    clinic: World, file: ClinicFile
) -> None:
    """Shown beside the evening after a recorded dose, also where the clinic closes early."""
    days = ((2026, 12, 10), (2026, 12, 12))
    visits = [
        ImaginedVisit(kind="dosing", route="iv", starts_at=datetime(*day, 10, tzinfo=NEW_YORK))
        for day in days
    ]
    person = _sample("dosing-visit", "after-dose", visits=visits)
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=14)
    found = _by_step(shown, "evening_unrecorded")
    assert [f"{one.local_time:%a %H:%M}" for one in found] == ["Thu 17:00", "Sat 17:00"]
    assert {(one.status, one.condition) for one in found} == {(CONDITIONAL, IF_FORGOTTEN)}
    assert found[0].body == _by_step(shown, "after_evening")[0].body
    without = _sample("dosing-visit", visits=visits)
    assert not _by_step(
        preview_sample(shipped(), file, without, at=clinic.now, days=14), "evening_unrecorded"
    )


def test_a_question_that_a_dose_would_silence_is_shown_with_that(
    clinic: World, file: ClinicFile
) -> None:
    """Asked at 11:00 as things stand; if the dose is given, that morning's check asks alone."""
    starts_at = datetime(2026, 12, 10, 10, tzinfo=NEW_YORK)
    visit = ImaginedVisit(kind="dosing", route="iv", starts_at=starts_at)
    person = _sample("after-dose", "daily-check-in", visits=[visit], check_in_time=time(11))
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=14)
    standing, then = [
        one for one in _by_step(shown, "daily_0_10") if f"{one.local_time:%m-%d}" == "12-11"
    ]
    assert (standing.status, standing.condition) == (PLANNED, None)
    assert (then.status, then.reason, then.condition) == (SKIPPED, "other_number", IF_THEN)


def test_a_question_that_ends_early_is_shown_with_its_end(clinic: World, file: ClinicFile) -> None:
    """Two daily programmes whose hours lie apart."""
    person = _sample("relapse-prevention", "daily-check-in", check_in_time=time(14))
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=3)
    assert any(one.reason == "other_number" for one in shown.texts)
    source = shipped_files()["daily-check-in.yaml"].replace(
        "when: same day as enrollment at 17:00 or their own hour",
        "when: same day as enrollment at 10:00",
    )
    protocols = [PROTOCOLS["relapse-prevention.yaml"], load(source, "daily-check-in.yaml")]
    person = replace(person, protocols=protocols, check_in_time=time(17))
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=3)
    early = [one for one in _by_step(shown, "daily_0_10") if one.status == PLANNED]
    assert early[-1].why is not None
    assert "when the next number is asked" in early[-1].why


def test_a_nudge_is_conditional_and_caps_are_shared_as_planning_does(
    clinic: World, file: ClinicFile
) -> None:
    """On a full day the nudge finds no room, and what takes it is named."""
    starts_at = datetime(2026, 12, 10, 10, tzinfo=NEW_YORK)
    visit = ImaginedVisit(kind="dosing", route="iv", starts_at=starts_at)
    person = _sample("dosing-visit", "daily-check-in", visits=[visit])
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=14)
    nudges = {f"{one.local_time:%m-%d}": one for one in _by_step(shown, "daily_0_10.nudge")}
    assert (nudges["12-02"].status, nudges["12-02"].condition) == (CONDITIONAL, IF_UNANSWERED)
    assert nudges["12-03"].reason == "cap"
    assert nudges["12-03"].why is not None
    assert "visit_7d" in nudges["12-03"].why
    for day in {one.local_time.date() for one in shown.texts}:
        going = [
            one
            for one in shown.texts
            if one.local_time.date() == day and one.status in (PLANNED, CONDITIONAL)
        ]
        assert len(going) <= 2, day


def test_a_move_says_its_own_minute(clinic: World, file: ClinicFile) -> None:
    """Why it goes at another minute, and at which one it would have gone."""
    starts_at = datetime(2026, 12, 10, 8, 30, tzinfo=NEW_YORK)
    visit = ImaginedVisit(kind="dosing", route="iv", starts_at=starts_at)
    person = _sample("dosing-visit", visits=[visit])
    shown = preview_sample(shipped(), file, person, at=clinic.now, days=14)
    [ride] = _by_step(shown, "visit_2h_ride")
    assert ride.own_minute == starts_at.astimezone(UTC) - timedelta(hours=2)
    assert ride.why is not None
    assert "Its own minute is Thu 2026-12-10 06:30 EST." in ride.why
    assert ride.template == "visit_eve_ride"


def test_the_days_of_clock_changes_are_pointed_out_over_a_year(
    clinic: World, file: ClinicFile
) -> None:
    """Check-ins keep their wall-clock time on both sides of it."""
    at = datetime(2026, 10, 20, 12, tzinfo=UTC)
    person = _sample("daily-check-in", language="es", zone=ZoneInfo("America/Denver"))
    shown = preview_sample(shipped(), file, person, at=at, days=366)
    assert {f"{one.local_time:%H:%M}" for one in _by_step(shown, "daily_0_10")} == {"17:00"}
    assert {f"{one.due_at:%H:%M}" for one in _by_step(shown, "daily_0_10")} == {"23:00", "00:00"}
    marked = [one for one in shown.texts if one.clock_change]
    assert {f"{one.local_time:%Y-%m-%d}" for one in marked} == {"2026-11-01"}
    assert {change.zone.key for change in shown.changes} == {"America/Denver", "America/New_York"}
    assert {f"{change.day}" for change in shown.changes} == {"2026-11-01", "2027-03-14"}
    assert {one.language for one in shown.texts} == {"es"}


def test_the_price_is_the_clinics_or_said_to_be_assumed(clinic: World, file: ClinicFile) -> None:
    """Given on the line, else in the file, else assumed."""
    person = _sample("daily-check-in")
    prices = []
    for own, given in ((None, None), (0.02, None), (0.02, 0.5)):
        at_clinic = file.model_copy(update={"segment_price": own})
        shown = preview_sample(shipped(), at_clinic, person, at=clinic.now, days=2, price=given)
        prices.append((str(shown.price.amount), shown.price.assumed))
        assert shown.texts[0].cost == shown.price.of(shown.texts[0].segments or 0)
    assert prices == [("0.012", True), ("0.02", False), ("0.5", False)]


def test_a_patient_on_a_shared_number_sees_the_tag(clinic: World) -> None:
    """It stands before the text that goes, so it stands before the one shown."""
    _, patient = clinic.book(starts_in=timedelta(days=9))
    sealed = clinic.vault.seal("patient", "tag", patient, "J")
    clinic.execute("UPDATE patient SET tag = :tag WHERE id = :id", tag=sealed, id=patient)
    shown = preview(clinic.services, patient, at=clinic.now, days=14)
    assert all((one.body or "").startswith("for J: ") for one in shown.texts if one.body)


def test_what_was_over_when_its_visit_was_booked_is_shown_as_skipped(clinic: World) -> None:
    """Booked five days ahead: the text of seven days before is missed, and nobody should wonder."""
    _, patient = clinic.book(starts_in=timedelta(days=5))
    clinic.execute("UPDATE enrollment SET created_at = :now", now=clinic.now)
    shown = preview(clinic.services, patient, at=clinic.now, days=14)
    [early] = _by_step(shown, "visit_7d")
    assert (early.status, early.reason) == (SKIPPED, "late_booking")
    assert early.due_at < clinic.now
    assert shown.count(SKIPPED) == sum(one.status == SKIPPED for one in shown.texts) > 0


def test_a_text_that_the_week_has_no_place_for_names_no_text_of_its_day() -> None:
    """Nothing else goes that day, so that the words speak of the week."""
    at = datetime(2026, 12, 7, 9, tzinfo=NEW_YORK)
    [text, *_] = plan_patient(
        [enrolled("daily-check-in", day=at.date())], patient(), place(), now=at
    )
    capped = text._replace(skip_reason=SkipReason.CAP)
    said = why(capped, [capped], None, NEW_YORK)
    assert said == "The patient gets more important texts that day, or in the week around it."


def test_what_is_shown_after_a_dose_is_what_goes(world: World) -> None:
    """The morning's check and two reminders of the next visit, where a day has room for two.

    Once the dose is recorded the check goes, and the reminder that matters least does not.
    """
    desk = Desk(world)
    desk.admits()
    desk.imports("2026-12-07T10:00")
    desk.imports("2026-12-09T10:00", kind="integration", route="", first=2)
    with world.database.transaction() as session:
        [person] = people.find(session, world.vault, "P0")
    looked_at = world.now
    shown = preview(world.services, person.id, at=looked_at, days=14).texts
    gone = {(one.step, one.due_at) for one in shown if one.status == SKIPPED}
    maybe = (PLANNED, CONDITIONAL)
    foreseen = {(one.step, one.due_at) for one in shown if one.status in maybe} - gone
    [morning] = [one for one in shown if one.step == "after_morning"]
    assert (morning.status, morning.condition) == (CONDITIONAL, IF_DOSED)
    [less] = [one for one in shown if one.step == "followup_2h" and one.status == SKIPPED]
    assert (less.reason, less.condition) == ("cap", IF_THEN)
    assert (
        less.why == "The patient gets more important texts that day: after_morning, followup_24h."
    )
    desk.waits_until("2026-12-07 12:00")
    desk.records(VisitStatus.CHECKED_OUT, dose=Dose.GIVEN)
    desk.waits_until("2026-12-09 12:00")
    went = world.execute(
        "SELECT step, due_at FROM message WHERE attempts > 0 AND kind = 'started' AND due_at > :at",
        at=looked_at,
    )
    forgotten = ("evening_unrecorded", "after_evening.nudge", "after_morning.nudge")
    assert {tuple(row) for row in went} == {one for one in foreseen if one[0] not in forgotten}
