"""`event`, `enroll`, `withdraw`, `patient`, `consent`: words and codes. The rules: tests/worker."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

_PAPER = ("consent", "P1", "grant", "--method", "paper", "--purposes", "visits")


def test_an_event_is_recorded_by_the_clinics_clock(clinic: Path, run: Run) -> None:
    """--at without an offset is local to the clinic; a visit far ahead is asked about."""
    ran = run("event", "A1", "arrived", "--at", "2026-11-30T09:55", "--json")
    assert ran.row == {"id": "A1", "status": "arrived", "dose": None, "at": "2026-11-30T14:55:00Z"}
    ran = run("event", "A1", "checked_out", "--dose", "given")
    assert (ran.code, ran.out) == (0, "A1 is checked_out, dose given.\n")
    assert "right visit" in ran.err


def test_a_check_out_without_a_dose_says_what_that_means(clinic: Path, run: Run) -> None:
    """Care rule 6."""
    ran = run("event", "A1", "checked_out")
    assert (ran.code, "no text after a dose will go" in ran.err) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ("event", "A9", "arrived"),
        ("event", "A1", "arived"),
        ("event", "A1", "arrived", "--dose", "given"),
        ("event", "A1", "arrived", "--at", "2026-12-24"),
        ("event", "A1", "arrived", "--at", "10:00"),
        ("event", "A1", "arrived", "--clinic", "lakeside"),
        ("enroll", "P1", "dosing-visit"),
        ("enroll", "P9", "daily-check-in"),
        ("enroll", "P1", "daily-check-in", "--on", "tomorrow"),
        ("withdraw", "P1", "daily-check-in"),
        ("patient", "hold", "P1"),
        ("patient", "hold", "P1", "--reason", "holiday"),
        ("patient", "hold", "P1", "--reason", "crisis", "--until", "2026-12-24"),
        ("consent", "P1", "grant", "--method", "paper", "--purposes", "news"),
        ("consent", "P1", "grant", "--purposes", "visits"),
        (*_PAPER, "--at", "soon"),
        (*_PAPER, "--at", "2099-01-01T10:00"),
        (*_PAPER, "--lift-stop"),
        (*_PAPER, "--number-verified"),
        ("consent", "P1", "revoke", *_PAPER[3:], "--at", "2026-11-01T10:00"),
        ("consent", "P1", "revoke", *_PAPER[3:], "--sms-risk-ack"),
    ],
    ids=" ".join,
)
def test_bad_input_ends_with_2(clinic: Path, run: Run, words: tuple[str, ...]) -> None:
    """One sentence on standard error, nothing on standard output."""
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


def test_a_patient_is_enrolled_and_withdrawn(clinic: Path, run: Run) -> None:
    """By hand, from a day on."""
    ran = run("enroll", "P1", "daily-check-in", "--on", "2026-12-01")
    assert ran.out == "Enrolled in daily-check-in from 2026-12-01 on.\n"
    assert run("enroll", "P1", "daily-check-in").code == 2
    assert run("withdraw", "P1", "daily-check-in").code == 0


def test_a_patient_is_held_resumed_and_closed(clinic: Path, run: Run) -> None:
    """And a closed record is not held."""
    assert run("patient", "hold", "P1", "--reason", "hospital", "--until", "2026-12-24").code == 0
    assert run("patient", "resume", "P1").code == 0
    assert run("patient", "close", "P1", "--reason", "discharged").code == 0
    assert run("patient", "hold", "P1", "--reason", "other").code == 2


def test_consent_is_granted_and_revoked(clinic: Path, run: Run) -> None:
    """What is in force afterwards is printed."""
    consent = ("consent", "P2", "grant", "--method", "paper", "--purposes")
    assert run(*consent, "check_ins; health_questions").out == (
        "In force now: check_ins, health_questions, visits.\n"
    )
    ran = run("consent", "P2", "revoke", "--method", "verbal", "--purposes", "check_ins")
    assert ran.out == "In force now: health_questions, visits.\n"


def test_a_consent_written_down_later_says_when_it_was_given(clinic: Path, run: Run) -> None:
    """By the clinic's clock, and that they know the risk; not what they took back since."""
    late = ("--at", "2026-11-02T09:30", "--sms-risk-ack", "--version", "texts-1.en")
    assert run(*_PAPER, *late).code == 0
    assert run("consent", "P1", "revoke", "--method", "verbal", "--purposes", "visits").code == 0
    ran = run(*_PAPER, *late)
    assert (ran.code, "They took it back after that" in ran.err) == (2, True)
