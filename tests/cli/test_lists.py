"""`messages`, `replies`, `followups`, `history`, `preview`, `understand`: fields and filters."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from cli.session import services
from messages.gateway import InboundText
from tests.cli.conftest import Run, write
from worker.steps import plan, receive, replies

MESSAGE = (
    "id",
    "clinic",
    "patient_id",
    "protocol",
    "step",
    "occurrence",
    "appointment_id",
    "template",
    "language",
    "due_at",
    "latest_at",
    "priority",
    "status",
    "reason",
    "sid",
    "segments",
    "attempts",
    "submitted_at",
    "accepted_at",
    "final_at",
)
REPLY = (
    "id",
    "sid",
    "patient_id",
    "received_at",
    "prompt_message_id",
    "intent",
    "value",
    "also",
    "understood_by",
)
FOLLOWUP = (
    "id",
    "patient_id",
    "reason",
    "severity",
    "status",
    "owner",
    "opened_at",
    "due_at",
    "escalation_level",
    "outcome",
    "source",
    "dose_at",
    "times_joined",
)


@pytest.fixture
def planned(clinic: Path) -> Path:
    """The clinic with its patients' texts planned."""
    with services() as running:
        plan.run(running)
    return clinic


def _receive(body: str, *, number: str = "+12125550121", sid: str = "SM" + "1" * 32) -> None:
    with services() as running:
        text = InboundText(
            sid=sid,
            to="+12125550110",
            from_number=number,
            body=body,
            num_media=0,
            messaging_service_sid="MG" + "0" * 32,
            opt_out_type=None,
            account_sid=running.settings.twilio_account_sid,
            raw={},
        )
        receive.store(running, text, source="webhook", received_at=running.now)
        replies.run(running)


def test_messages_have_the_contracts_fields(planned: Path, run: Run) -> None:
    """In its order, UTC in ISO 8601, the clinic's own ids."""
    rows = run("messages", "--json").rows
    assert rows
    assert all(tuple(row) == MESSAGE for row in rows)
    assert {row["patient_id"] for row in rows} == {"P1", "P2"}
    about = {row["appointment_id"] for row in rows if row["protocol"] != "welcome"}
    assert about == {"A1", "A2"}
    assert all(row["due_at"].endswith("Z") for row in rows)
    assert rows == sorted(rows, key=lambda row: row["due_at"])


def test_messages_are_filtered(planned: Path, run: Run) -> None:
    """By patient, status, time (the clinic's days) and number."""
    everything = run("messages", "--json").rows
    mine = run("messages", "--json", "--patient", "P2").rows
    assert mine == [row for row in everything if row["patient_id"] == "P2"]
    until = run("messages", "--json", "--until", "2026-12-08").rows
    assert until == [row for row in everything if row["due_at"] < "2026-12-08T05:00"]
    assert run("messages", "--json", "--limit", 1).rows == everything[-1:]
    assert run("messages", "--json", "--status", "sent").rows == []
    wrong = run("messages", "--status", "snet")
    assert (wrong.code, 'did you mean "sent"?' in wrong.err) == (2, True)
    assert run("messages", "--patient", "P9").code == 2
    assert run("messages", "--since", "yesterday").code == 2


def test_a_list_for_people_is_parted_by_tabs_in_a_pipe(planned: Path, run: Run) -> None:
    """One header, one line a row; nothing that looks like a box."""
    lines = run("messages", "--patient", "P2").out.splitlines()
    assert lines[0].split("\t")[:3] == ["id", "patient_id", "step"]
    assert all(len(line.split("\t")) == len(lines[0].split("\t")) for line in lines)


def test_replies_have_the_contracts_fields(planned: Path, run: Run) -> None:
    """An unknown number has an empty patient."""
    _receive("7")
    _receive("hello", number="+12125550177", sid="SM" + "2" * 32)
    rows = run("replies", "--json").rows
    assert all(tuple(row) == (*REPLY, "followup_id") for row in rows)
    assert [row["patient_id"] for row in rows] == ["P1", None]
    assert "hello" not in run("replies", "--json").out


def test_words_and_numbers_only_on_request_and_recorded(planned: Path, run: Run) -> None:
    """--reveal leaves an audit event that names the rows."""
    _receive("I feel fine")
    row = run("replies", "--json", "--reveal").row
    assert (row["from"], row["body"]) == ("+12125550121", "I feel fine")
    with services() as running, running.database.transaction() as session:
        found = session.execute(text("SELECT action FROM audit_event ORDER BY sequence")).all()
    assert found[-1][0] == "replies.revealed"
    assert run("audit", "verify").code == 0


def test_follow_ups_have_the_contracts_fields(planned: Path, run: Run) -> None:
    """Opened by what a patient wrote."""
    _receive("I want to die")
    rows = run("followups", "--json").rows
    assert rows
    assert all(tuple(row) == FOLLOWUP for row in rows)
    assert rows[0]["severity"] == "page_now"
    assert rows[0]["dose_at"] is None
    assert run("followups", "--status", "resolved", "--json").rows == []


def test_a_follow_up_says_before_which_dose_it_is_decided(planned: Path, run: Run) -> None:
    """So that a program can bring it before a clinician in time."""
    _receive("I want to die")
    with services() as running, running.database.transaction() as session:
        session.execute(text("UPDATE follow_up SET dose_at = '2026-12-09T15:00Z'"))
    told = {row["dose_at"] for row in run("followups", "--json").rows}
    assert set(map(datetime.fromisoformat, told)) == {datetime(2026, 12, 9, 15, tzinfo=UTC)}


def _one_item(run: Run) -> dict[str, Any]:
    [item] = [row for row in run("followups", "--json").rows if row["reason"] != "crisis"]
    return item


def test_a_follow_up_is_taken_assigned_put_off_and_ended(planned: Path, run: Run) -> None:
    """In somebody's name: the only one's, or the one given by --as."""
    for name in ("sam", "kim"):
        email = f"{name}@clinic.test"
        run("staff", "add", email, "--role", "coordinator", stdin="a long enough one\n")
    _receive("can I eat before?")
    item = _one_item(run)["id"]
    assert run("followup", item, "take").code == 2
    assert run("followup", item, "take", "--as", "sam@clinic.test").code == 0
    assert _one_item(run)["owner"] == "sam@clinic.test"
    assert run("followup", item, "assign", "kim@clinic.test").code == 0
    assert run("followup", item, "snooze", "2026-11-30T14:00").code == 0
    assert run("followup", item, "snooze", "2026-11-29").code == 2
    assert run("followup", item, "resolve").code == 2
    done = run("followup", item, "resolve", "--outcome", "reached", "--json").row
    assert (done["status"], done["outcome"], done["owner"]) == (
        "resolved",
        "reached",
        "kim@clinic.test",
    )
    assert run("followup", item, "resolve", "--outcome", "reached").code == 2
    assert run("followup", UUID(int=0), "take").code == 2
    assert run("followup", "nonsense", "take").code == 2


def test_a_text_that_came_since_an_item_was_taken_is_read_before_it_ends(
    planned: Path, run: Run
) -> None:
    """Putting it off would hide the text as well. Whoever has read it says how much had joined."""
    run("staff", "add", "sam@clinic.test", "--role", "coordinator", stdin="a long enough one\n")
    _receive("can I eat before?")
    _receive("what should I bring?", sid="SM" + "2" * 32)
    item = _one_item(run)["id"]
    end = ("followup", item, "resolve", "--outcome", "reached")
    assert "A further text came" in run(*end).err
    assert run("followup", item, "take").code == 0
    _receive("can I bring a book?", sid="SM" + "3" * 32)
    for words in (end, ("followup", item, "snooze", "2026-11-30T14:00")):
        refused = run(*words)
        assert refused.code == 2
        assert "A further text came at 10:00 on Monday, November 30." in refused.err
        assert "`aftercare replies --patient P1 --reveal` shows it" in refused.err
        assert "--seen 2" in refused.err
    assert _one_item(run)["status"] == "acknowledged"
    assert run(*end, "--seen", 1).code == 2
    assert run(*end, "--seen", _one_item(run)["times_joined"]).code == 0


def test_history_shows_what_happened_to_a_text(planned: Path, run: Run) -> None:
    """The text's fields first, then its states."""
    run("patient", "hold", "P2", "--reason", "hospital")
    [row] = run("messages", "--json", "--status", "cancelled", "--limit", 1).rows
    first, *rest = run("history", row["id"], "--json").rows
    assert first == {"what": "text", **row}
    assert [(each["what"], each["status"]) for each in rest] == [("status", "cancelled")]
    assert "on hold" in run("history", row["id"]).out
    assert run("history", UUID(int=0)).code == 2


def test_preview_shows_the_words_and_the_reasons(clinic: Path, run: Run) -> None:
    """Before anything is planned, and without writing a row."""
    rows = run("preview", "P1", "--json").rows
    planned = [row["step"] for row in rows if row["status"] == "planned"]
    assert planned[:2] == ["welcome", "visit_7d"]
    assert all(row["body"] for row in rows if row["status"] == "planned")
    assert rows[0]["zone"] == "America/New_York"
    assert run("messages", "--json").rows == []


def test_preview_tries_a_protocol_that_nobody_follows(clinic: Path, run: Run) -> None:
    """From a file or by id, from any day, for any number of days."""
    rows = run("preview", "P1", "--protocol", "daily-check-in", "--days", 3, "--json").rows
    assert {row["protocol"] for row in rows} == {"daily-check-in"}
    file = write(clinic, "mine.yaml", run("protocols", "show", "daily-check-in").out)
    assert run("preview", "P1", "--protocol", file, "--days", 3, "--json").rows == rows
    later = run("preview", "P1", "--from", "2027-06-01", "--json")
    assert (later.code, later.out) == (0, "")
    assert run("preview", "P1", "--protocol", "nope").code == 2
    assert run("preview", "P1", "--protocol", "nope.yaml").code == 2


@pytest.mark.parametrize(
    ("context", "text", "intent", "value"),
    [
        ("scale:0-10", "about a 7", "score", "7"),
        ("scale:0-10", "11", "score_out_of_range", "11"),
        ("appointment_reminder", "C", "confirm", None),
        ("yes_no", "N", "decline_reschedule", None),
        ("none", "STOP", "stop", "stop"),
    ],
)
def test_understand_reads_one_text(
    run: Run, context: str, text: str, intent: str, value: str | None
) -> None:
    """Needs neither settings nor a database."""
    row = run("understand", "--context", context, text, "--json").row
    assert list(row) == ["intent", "value", "also", "severity"]
    assert row["intent"] == intent
    if intent.startswith("score"):
        assert row["value"] == value


def test_understand_reads_a_file(tmp_path: Path, run: Run) -> None:
    """Columns context and text, one line of JSON a row."""
    file = write(tmp_path, "said.csv", "context,text\nscale:0-10,3\n,stop\n")
    assert [row["intent"] for row in run("understand", "--csv", file, "--json").rows] == [
        "score",
        "stop",
    ]
    assert run("understand", "--csv", write(tmp_path, "bad.csv", "a,b\n")).code == 2
    assert run("understand").code == 2
    assert run("understand", "--context", "scale:9-1", "3").code == 2


def test_understand_reads_under_the_topic_of_our_text(tmp_path: Path, run: Run) -> None:
    """By an option for one text, by a column for a file; an unknown one is named."""
    asked = ("understand", "--context", "yes_no", "took them all", "--json")
    assert run(*asked).row["intent"] == "overdose"
    assert run(*asked, "--topic", "medicines").row["intent"] == "confirm"
    file = write(tmp_path, "said.csv", "context,text,topic\nnone,done,form\nyes_no,uber,rides\n")
    ran = run("understand", "--csv", file)
    assert (ran.code, 'there is no "rides"; did you mean "ride"?' in ran.err) == (2, True)
    assert run("understand", "--topic", "rides", "x").code == 2


def test_a_fault_in_a_file_of_replies_is_told_with_its_row_and_mend(
    tmp_path: Path, run: Run
) -> None:
    """Every one of them at once: what there is no such thing as, and what there is."""
    text = "context,text,intent,severity\nnone,hi,hapy,\nnowhere,hi,score,page_nov\n"
    ran = run("understand", "--csv", write(tmp_path, "said.csv", text))
    assert ran.code == 2
    assert 'line 2, column intent: there is no "hapy"; it is one of' in ran.err
    assert 'line 3, column context: there is no "nowhere"' in ran.err
    assert 'line 3, column severity: there is no "page_nov"; did you mean "page_now"?' in ran.err


def test_own_words_are_tried_on_everyday_replies(tmp_path: Path, run: Run) -> None:
    """What a wide phrase would page for is told; the reading is shown all the same."""
    own = write(tmp_path, "words.yaml", "en: {self_harm: {say: [killing me]}}\n")
    ran = run("understand", "--words", own, "zebra stripes", "--json")
    assert ran.row["intent"] == "unclear"
    assert "warning: words.en.self_harm.say: 'killing me' changes how an everyday" in ran.err


def test_a_text_of_staff_says_its_parts_and_its_cost(clinic: Path, run: Run) -> None:
    """And how it will read where a letter is left out; the message's id is the only result."""
    ran = run("text", "P1", "Mañana sí \U0001f389")
    assert (ran.code, "is queued" in ran.out) == (0, True), ran.err
    assert "1 part: 0.012 USD (at 0.012 USD a segment, an assumption)." in ran.err
    assert "It will say: Mañana si" in ran.err
