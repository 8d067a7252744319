"""Liveness, readiness and the metrics page."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from records.base import Database, new_id
from records.clinics import Clinic
from records.pages import Page, PageDelivery
from tests.support.databases import Databases, OwnDatabase
from tests.web.house import NOW, House, inbound_form, post, status_form
from tests.web.served import Client, served

GONE = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/none"


def test_migrated_database_is_ready(client: Client) -> None:
    """With the newest schema in reach both probes say yes."""
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").json() == {"ready": True}


def test_process_without_database_lives_and_is_not_ready(house: House) -> None:
    """A lost database takes traffic away and restarts nothing."""
    gone = Database.connect(GONE, application="test")
    with served(replace(house.services, database=gone)) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        metrics = client.get("/metrics")
    gone.close()

    assert answer.status_code == 503
    assert "does not answer" in answer.json()["fault"]
    assert "nobody" not in answer.text
    assert "aftercare_database_up 0.0" in metrics.text


def test_old_schema_is_not_ready(house: House, database: OwnDatabase, client: Client) -> None:
    """Code that needs a newer schema takes no traffic and names the command."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "aftercare db upgrade" in answer.json()["fault"]


def test_empty_database_is_not_ready(house: House, databases: Databases) -> None:
    """A database without a schema is told as such."""
    with databases.empty() as own:
        bare = Database.connect(own.owner_url, application="test")
        with served(replace(house.services, database=bare)) as client:
            assert client.get("/readyz").status_code == 503
        bare.close()


def test_metrics_count_webhooks_and_read_the_flow(
    house: House, clinic: Clinic, client: Client
) -> None:
    """Counters by kind and result, gauges from the database, and no id or number anywhere."""
    ana = house.patient(clinic)
    house.message(ana, status="planned", due_at=NOW - timedelta(seconds=90), submitted_at=None)
    house.message(ana, status="planned", next_at=NOW + timedelta(days=1), submitted_at=None)
    house.follow_up(clinic.id, "crisis", "page_now", ana)
    post(client, "/twilio/inbound", inbound_form())
    post(client, "/twilio/status", status_form())
    post(client, "/twilio/status", status_form(), **{"X-Twilio-Signature": "bad"})

    page = client.get("/metrics").text

    for line in (
        'aftercare_webhooks_total{kind="inbound",result="stored"} 1.0',
        'aftercare_webhooks_total{kind="status",result="stored"} 1.0',
        'aftercare_webhooks_total{kind="status",result="bad_signature"} 1.0',
        'aftercare_webhook_seconds_count{kind="inbound"} 1.0',
        "aftercare_database_up 1.0",
        "aftercare_messages_due 1.0",
        "aftercare_messages_oldest_due_seconds 90.0",
        "aftercare_inbound_unread 1.0",
        "aftercare_receipts_pending 1.0",
        "aftercare_stray_webhooks 0.0",
        'aftercare_follow_ups_open{severity="page_now"} 1.0',
        'aftercare_follow_ups_open{severity="digest"} 0.0',
    ):
        assert line in page
    assert str(clinic.id) not in page
    assert "riverside" not in page
    assert "+1212" not in page


def test_metrics_tell_of_paging_in_counts_alone(
    house: House, clinic: Clinic, client: Client
) -> None:
    """Pages, deliveries by channel, time until taken, and clocks that were overlooked."""
    taken, waiting = (house.follow_up(clinic.id, "crisis", "page_now") for _ in range(2))
    late = house.follow_up(clinic.id, "question", "next_business_day")
    with house.services.database.transaction() as session:
        session.merge(taken).climbs_at = NOW + timedelta(minutes=5)
        session.merge(taken).run_acknowledged_at = NOW
        session.merge(waiting).climbs_at = NOW - timedelta(seconds=59)
        session.merge(late).climbs_at = NOW - timedelta(seconds=61)
    for item, minutes in ((taken, 4), (waiting, None)):
        page = Page(
            id=new_id(),
            clinic_id=clinic.id,
            follow_up_id=item.id,
            kind="item",
            why="opened",
            severity="page_now",
            person="kim@clinic.test",
            at=NOW - timedelta(minutes=30),
        )
        if minutes is not None:
            page.acknowledged_at = page.at + timedelta(minutes=minutes)
        ways = [
            PageDelivery(
                id=new_id(),
                clinic_id=clinic.id,
                page_id=page.id,
                channel=channel,
                status=status,
                expires_at=NOW,
            )
            for channel, status in (("sms", "delivered"), ("voice", "failed"))
        ]
        house.add(page, *ways)
    text = client.get("/metrics").text
    for line in (
        'aftercare_pages_total{kind="item",why="opened"} 2.0',
        'aftercare_page_deliveries{channel="sms",outcome="delivered"} 2.0',
        'aftercare_page_deliveries{channel="voice",outcome="failed"} 2.0',
        'aftercare_page_taken_seconds_bucket{le="180"} 0.0',
        'aftercare_page_taken_seconds_bucket{le="300"} 1.0',
        'aftercare_page_taken_seconds_bucket{le="+Inf"} 1.0',
        "aftercare_page_taken_seconds_sum 240.0",
        "aftercare_pages_untaken 1.0",
        'aftercare_follow_ups_past_clock{severity="page_now"} 0.0',
        'aftercare_follow_ups_past_clock{severity="next_business_day"} 1.0',
    ):
        assert line in text, line
    assert "kim" not in text


def test_an_empty_file_of_the_token_opens_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as no token, so that a client elsewhere reads no metrics."""
    file = tmp_path / "metrics_token"
    file.write_text("\n")
    monkeypatch.setenv("AFTERCARE_METRICS_TOKEN_FILE", str(file))
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    with served(house.with_settings()) as client:
        assert client.get("/metrics", headers=elsewhere).status_code == 403
        assert client.get("/metrics").status_code == 200


def test_metrics_without_a_token_answer_this_machine_only(client: Client) -> None:
    """Whoever comes through a proxy of this machine is not on it."""
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403


@pytest.mark.parametrize("forwarded", ["127.0.0.1", "203.0.113.9", "", None])
def test_metrics_without_a_token_answer_no_trusted_proxy(
    house: House, forwarded: str | None
) -> None:
    """Whatever it says of the client, or was brought to leave out."""
    with served(house.with_settings(AFTERCARE_TRUSTED_PROXIES="127.0.0.0/8")) as client:
        assert client.get("/metrics", headers={"X-Forwarded-For": forwarded}).status_code == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer a token", 200), ("Bearer another", 403), ("", 403), ("Bearer a tökén", 403)],
)
def test_metrics_token_is_asked_for(house: House, header: str, status: int) -> None:
    """With a token set, the bearer is let in from anywhere and nobody else is."""
    with served(house.with_settings(AFTERCARE_METRICS_TOKEN="a token")) as client:
        sent = {"Authorization": header.encode()} if header else {}
        assert client.get("/metrics", headers=sent).status_code == status
