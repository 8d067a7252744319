"""What Prometheus is told by the web process: counters as things happen, gauges as it asks.

Labels are a small closed set of words; an id, a number or a name never becomes one.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from records import gauges, pagefigures
from records.gauges import Gauges
from records.pagefigures import TAKEN_WITHIN, PageFigures
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Metrics:
    """The counters of one web process and the registry that prints them."""

    def __init__(self, services: Services) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "aftercare_webhooks",
            "Webhooks by kind (inbound, status, voice) and result.",
            ("kind", "result"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "aftercare_webhook_seconds",
            "From the signature to the commit, by kind.",
            ("kind",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.sign_ins = Counter(
            "aftercare_sign_ins",
            "Sign-ins to the console by result (ok, refused, throttled).",
            ("result",),
            registry=self.registry,
        )
        self.registry.register(_DatabaseFigures(services))

    def text(self) -> bytes:
        """Return the page in Prometheus' text format."""
        return generate_latest(self.registry)


class _DatabaseFigures(Collector):
    """Reads the figures of `records.gauges` at each scrape."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        # Without this the registry would ask the database while the process starts.
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with self._services.database.transaction() as session:
                figures = gauges.read(session, now=self._services.now)
                paging = pagefigures.read(session, now=self._services.now)
        except Exception as error:  # noqa: BLE001  A scrape during an outage has to say so.
            log.warning("metrics_without_database", error=type(error).__name__)
            yield _gauge("database_up", "Whether the figures could be read.", 0)
            return
        yield _gauge("database_up", "Whether the figures could be read.", 1)
        yield from of_flow(figures)
        yield from of_paging(paging)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"aftercare_{name}", meaning, value=value)


def of_flow(figures: Gauges) -> Iterator[Metric]:
    """Give the figures of texts, replies and items."""
    yield _gauge("messages_due", "Planned texts that are due now.", figures.due)
    yield _gauge(
        "messages_oldest_due_seconds", "Age of the oldest text due.", figures.oldest_due_age
    )
    yield _gauge("messages_unknown", "Attempts of which nobody knows the end.", figures.unknown)
    yield _gauge("inbound_unread", "Texts received and not yet handled.", figures.unread)
    yield _gauge(
        "inbound_oldest_unread_seconds", "Age of the oldest of them.", figures.oldest_unread_age
    )
    yield _gauge("receipts_pending", "Status callbacks not applied.", figures.pending_receipts)
    yield _gauge(
        "follow_ups_overdue", "Follow-ups past their due time.", figures.overdue_follow_ups
    )
    yield _gauge("stray_webhooks", "Signed webhooks that fitted no clinic.", figures.strays)
    by_severity = GaugeMetricFamily(
        "aftercare_follow_ups_open", "Unresolved follow-ups.", labels=["severity"]
    )
    for severity, count in figures.open_follow_ups.items():
        by_severity.add_metric([severity], count)
    yield by_severity
    if figures.tick_age is not None:
        yield _gauge("tick_age_seconds", "Seconds since a worker last ticked.", figures.tick_age)


def of_paging(figures: PageFigures) -> Iterator[Metric]:
    """Give the figures of pages to staff."""
    opened = CounterMetricFamily(
        "aftercare_pages", "Pages to staff, by what about and why.", labels=["kind", "why"]
    )
    for (kind, why), count in figures.opened.items():
        opened.add_metric([kind, why], count)
    yield opened
    ways = GaugeMetricFamily(
        "aftercare_page_deliveries",
        "Deliveries of pages, by channel and how they stand.",
        labels=["channel", "outcome"],
    )
    for (channel, status), count in figures.deliveries.items():
        ways.add_metric([channel, status], count)
    yield ways
    taken = HistogramMetricFamily(
        "aftercare_page_taken_seconds", "From an item's first page to its being taken."
    )
    limits = [f"{float(limit):g}" for limit in TAKEN_WITHIN]
    buckets = [*zip(limits, figures.taken, strict=True), ("+Inf", figures.taken_count)]
    taken.add_metric([], buckets, sum_value=figures.taken_seconds)
    yield taken
    yield _gauge("pages_untaken", "Items paged now that nobody has taken.", figures.untaken)
    late = GaugeMetricFamily(
        "aftercare_follow_ups_past_clock",
        "Items whose next look is overdue by over a minute.",
        labels=["severity"],
    )
    for severity, count in figures.past_clock.items():
        late.add_metric([severity], count)
    yield late
