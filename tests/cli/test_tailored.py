"""One patient otherwise, by command: their preview follows, and each text unsent says why."""

from pathlib import Path
from typing import Any

import pytest

from cli.session import services
from schedules.reasons import CancelReason, SkipReason
from tests.cli.conftest import Run, heard_from, write
from worker.reasons import in_plain_words
from worker.steps import plan

#: The check-ins of four days by the patient's clock. Nobody is reachable after hours at this
#: clinic, so that they go three hours before closing.
AS_SHIPPED = ["30 14:00", "01 14:00", "02 14:00", "03 14:00"]
STEP = "daily_0_10"


@pytest.fixture
def asked(clinic: Path, run: Run) -> Path:
    """The clinic with P1, who reads Spanish, on a daily check-in from Monday on."""
    heard_from("+12125550121")
    assert run("enroll", "P1", "daily-check-in").code == 0
    return clinic


def _preview(run: Run, step: str = STEP) -> list[dict[str, Any]]:
    rows = run("preview", "P1", "--days", 3, "--json").rows
    return [row for row in rows if row["step"] == step]


def _hours(run: Run) -> list[str]:
    going = [row for row in _preview(run) if row["status"] == "planned"]
    return [row["local_time"][8:16].replace("T", " ") for row in going]


def _set(run: Run, *settings: str) -> None:
    ran = run("patient", "tailor", "P1", *(word for one in settings for word in ("--set", one)))
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("setting", "hours"),
    [
        ("check_in_time=18:30", ["30 18:30", "01 18:30", "02 18:30", "03 18:30"]),
        ("safe_hours=09:00-12:00", ["30 11:59", "01 11:59", "02 11:59", "03 11:59"]),
        ("cadence=daily_0_10: every 2 days", ["30 14:00", "02 14:00"]),
        # The same three hours before closing, on the clock of Denver.
        ("timezone=America/Denver", ["30 12:00", "01 12:00", "02 12:00", "03 12:00"]),
        ("steps_off=daily_0_10", []),
        ("pause_until=2026-12-02", ["02 14:00", "03 14:00"]),
    ],
)
def test_what_is_set_for_one_patient_shows_in_the_preview_and_is_taken_back(
    asked: Path, run: Run, setting: str, hours: list[str]
) -> None:
    """Own hour, safe hours, cadence, zone, a step off, a pause."""
    assert _hours(run) == AS_SHIPPED
    _set(run, setting)
    assert _hours(run) == hours
    column = setting.partition("=")[0]
    _set(run, "timezone=America/New_York" if column == "timezone" else f"{column}=")
    assert _hours(run) == AS_SHIPPED


@pytest.mark.parametrize("day", ["2026-11-30", "2028-01-01", "soon"])
def test_a_pause_lies_ahead_and_ends_within_a_year(asked: Path, run: Run, day: str) -> None:
    """Anything else is refused with what to write, and nothing is changed."""
    ran = run("patient", "tailor", "P1", "--set", f"pause_until={day}")
    assert ran.code == 2
    assert "pause_until" in ran.err
    assert _hours(run) == AS_SHIPPED


def test_another_language_is_another_wording(asked: Path, run: Run) -> None:
    """Of everything that is still to go."""
    assert "registro diario" in _preview(run)[0]["body"]
    _set(run, "language=en")
    assert "daily check-in" in _preview(run)[0]["body"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("patient", "tailor", "P1", "--set", "steps_off=daily_0_10"), SkipReason.STEP_OFF),
        (("patient", "tailor", "P1", "--set", "pause_until=2026-12-20"), SkipReason.PAUSED),
        (("patient", "hold", "P1", "--reason", "hospital"), SkipReason.PATIENT_HELD),
        (
            ("consent", "P1", "revoke", "--method", "verbal", "--purposes", "check_ins"),
            SkipReason.NO_CONSENT,
        ),
    ],
)
def test_the_preview_says_in_words_why_something_will_not_go(
    asked: Path, run: Run, command: tuple[str, ...], reason: SkipReason
) -> None:
    """A step off, a pause, a hold, a consent taken back."""
    assert run(*command).code == 0
    rows = _preview(run)
    assert {(row["status"], row["reason"]) for row in rows} == {("skipped", reason)}
    assert all(row["why"].endswith(".") for row in rows)


def _planned(run: Run) -> None:
    with services() as running:
        plan.run(running)


def _unsent(run: Run, step: str) -> tuple[str, str]:
    """Return the reason of a text that will not go, and what `history` says of it."""
    rows = run("messages", "--json", "--limit", 200).rows
    [row] = [row for row in rows if row["step"] == step and row["appointment_id"] == "A1"]
    told = run("history", row["id"])
    assert told.code == 0
    [words] = [line for line in told.out.splitlines() if line.startswith("in words: ")]
    assert row["status"] in {"skipped", "cancelled"}
    assert words.endswith(".")
    return row["reason"], words.removeprefix("in words: ")


@pytest.mark.parametrize(
    ("command", "step", "reason", "words"),
    [
        (
            ("patient", "tailor", "P1", "--set", "steps_off=visit_7d"),
            "visit_7d",
            SkipReason.STEP_OFF,
            "This text is switched off for this patient.",
        ),
        (
            ("event", "A1", "cancelled"),
            "visit_7d",
            SkipReason.VISIT_CANCELLED,
            "The visit was cancelled.",
        ),
        (
            ("patient", "hold", "P1", "--reason", "hospital"),
            "visit_24h_prep",
            SkipReason.PATIENT_HELD,
            "Texts to this patient are on hold.",
        ),
        (
            ("patient", "close", "P1", "--reason", "discharged"),
            "visit_2h_ride",
            SkipReason.PATIENT_CLOSED,
            "The patient's record is closed.",
        ),
    ],
)
def test_history_tells_of_a_text_that_was_planned_why_it_does_not_go(
    asked: Path, run: Run, command: tuple[str, ...], step: str, reason: str, words: str
) -> None:
    """Planned first, then taken back: the state and its time stand beside the sentence."""
    _planned(run)
    assert run(*command).code == 0
    _planned(run)
    assert _unsent(run, step) == (reason, words)


def test_history_tells_of_a_text_that_was_never_to_go(asked: Path, run: Run) -> None:
    """A visit booked too late for a step has a row for it, which says so."""
    late = (
        "appointment_id,patient_id,kind,route,starts_at,ends_at,status,location\n"
        "A1,P1,dosing,iv,2026-12-03T09:00,2026-12-03T11:00,booked,Suite 4\n"
    )
    assert run("import", "appointments", write(asked, "late.csv", late), "--yes").code == 0
    _planned(run)
    sentence = "The visit or enrollment became known after this text was due."
    assert _unsent(run, "visit_7d") == (SkipReason.LATE_BOOKING, sentence)


@pytest.mark.parametrize("reason", [*SkipReason, *CancelReason])
def test_every_reason_has_a_sentence(reason: str) -> None:
    """Whatever ends a text unsent, a coordinator reads it in words."""
    said = in_plain_words(reason, None)
    assert said != reason
    assert said.endswith(".")
