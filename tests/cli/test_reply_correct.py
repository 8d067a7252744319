"""`aftercare reply correct`: staff say what a text means, from the command line."""

from pathlib import Path

from cli.session import services
from messages.gateway import InboundText
from tests.cli.conftest import Run
from worker.steps import receive, replies


def _receive(body: str) -> None:
    with services() as running:
        text = InboundText(
            sid="SM" + "1" * 32,
            to="+12125550110",
            from_number="+12125550121",
            body=body,
            num_media=0,
            messaging_service_sid="MG" + "0" * 32,
            opt_out_type=None,
            account_sid=running.settings.twilio_account_sid,
            raw={},
        )
        receive.store(running, text, source="webhook", received_at=running.now)
        replies.run(running)


def test_a_corrected_reply_is_listed_as_staff_understand_it(clinic: Path, run: Run) -> None:
    """`replies --json` has the corrected intent and value, and who understood it."""
    _receive("purple monkey")
    [row] = run("replies", "--json").rows
    assert (row["intent"], row["understood_by"]) == ("unclear", "rule")

    ran = run("reply", "correct", row["id"], "--intent", "score", "--value", "3")
    assert ran.code == 0, ran.err
    [row] = run("replies", "--json").rows
    assert (row["intent"], row["value"], row["understood_by"]) == ("score", "3", "staff")


def test_what_cannot_be_corrected_is_said(clinic: Path, run: Run) -> None:
    """An unknown id, an intent that is none, a value that fits nothing, nobody's address."""
    _receive("purple monkey")
    [row] = run("replies", "--json").rows
    nobody = "01931d6e-7a10-7c39-a1de-0d2f5a4be001"

    assert "no such reply" in run("reply", "correct", nobody, "--intent", "stop").err
    assert run("reply", "correct", row["id"], "--intent", "stopp").code == 2
    assert run("reply", "correct", row["id"], "--intent", "score").code == 2
    unknown = run("reply", "correct", row["id"], "--intent", "stop", "--as", "x@clinic.test")
    assert (unknown.code, "Nobody" in unknown.err) == (2, True)
