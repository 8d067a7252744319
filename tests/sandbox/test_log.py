"""The log is the witness: complete, in order, on the disk within 50 ms."""

import json
import time

from sandbox import clock
from tests.sandbox.conftest import NUMBER, PHONE, SERVICE


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_create_is_in_the_file_within_50_ms(open_lab, tmp_path):
    """A line a text, with all that a test needs to compare."""
    path = tmp_path / "deep" / "carrier.jsonl"
    lab = open_lab(log_path=path, callbacks=False)
    sid = lab.told("/status?message=1#rc=3", ValidityPeriod="900").json()["sid"]
    time.sleep(0.2)
    entry = _lines(path)[0]
    assert {k: v for k, v in entry.items() if k not in {"at", "t"}} == {
        "seq": 1,
        "kind": "create",
        "sid": sid,
        "to": PHONE,
        "from": NUMBER,
        "service": SERVICE,
        "body": "Hello",
        "status": "accepted",
        "segments": 1,
        "status_callback": lab.product.url("/status?message=1#rc=3"),
        "validity": "900",
    }
    assert abs(clock.parse(entry["at"]).timestamp() - entry["t"]) < 0.001


def test_the_file_is_complete_after_a_stop(open_lab, tmp_path):
    """Stopping writes what is buffered; a second run appends."""
    path = tmp_path / "carrier.jsonl"
    for run in (1, 2):
        lab = open_lab(log_path=path, fsync=True)
        for index in range(20):
            lab.send(body=f"{run} {index} ünïcödé")
        lab.loop.run(lab.server.stop())
        assert len([e for e in _lines(path) if e["kind"] == "create"]) == 20 * run


def test_callbacks_inbound_replies_and_blocks_are_logged(open_lab, tmp_path):
    """Each kind has its line, attempts with their idempotency token."""
    path = tmp_path / "carrier.jsonl"
    lab = open_lab(log_path=path)
    lab.product.answers["/status"] = [500, 204]
    lab.told("/status#rc=1&rp=all")
    lab.idle()
    lab.text("STOP")
    lab.send()
    lab.loop.run(lab.server.stop())
    lines = _lines(path)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    callbacks = [line for line in lines if line["kind"] == "callback"]
    assert [(c["message_status"], c["attempts"]) for c in callbacks[:3]] == [
        ("queued", 1),
        ("queued", 2),
        ("sending", 1),
    ]
    assert callbacks[0]["idempotency"] == callbacks[1]["idempotency"] != callbacks[2]["idempotency"]
    kinds = {line["kind"] for line in lines}
    assert kinds == {"create", "callback", "inbound", "inbound-webhook", "auto-reply", "blocked"}


def test_the_log_can_be_asked_by_kind_time_and_field(lab):
    """kind, since (a number or an instant) and any field narrow the answer."""
    for index in range(3):
        lab.send(body=str(index))
    entries = lab.log("create")
    middle = entries[1]
    assert [e["body"] for e in lab.api("GET", f"/log?since={middle['seq']}")["entries"]] == ["2"]
    instant = middle["at"].replace("+", "%2B")
    assert [e["body"] for e in lab.api("GET", f"/log?since={instant}")["entries"]] == ["2"]
    assert lab.log("create", sid=middle["sid"]) == [middle]
    assert lab.log("create,blocked", to="%2B12125550199") == []
    lab.api("GET", "/log?since=yesterday", status=400)


def test_the_log_never_holds_a_token(lab):
    """Credentials stay out of log and settings."""
    lab.told("/status")
    lab.idle()
    token = lab.server.carrier.token(lab.server.carrier.default_account)
    assert token not in json.dumps([lab.api("GET", "/log"), lab.api("GET", "/settings")])
