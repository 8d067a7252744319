"""`make demo`: a whole Aftercare with a sample clinic, whose patients text back.

Start, load, show, and stay until Ctrl-C. What it keeps lies in `.state/`; nothing that it started
outlives it. One thread does all: it watches the processes, lets patients answer, and prints what
happens.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from cli import demo_data
from cli.demo_clock import offset, pretended_morning
from cli.demo_data import Sample
from cli.demo_feed import Feed
from cli.demo_patients import PERSONAS, Patients, Phones
from cli.server import free_port
from cli.session import services
from cli.stack import ROOT, Options, Stack
from cli.statefolder import StateFolder
from records.base import DBAPIError
from schedules.clinic import ClinicFile
from worker.counting import counted
from worker.services import Services
from worker.settings import Settings, load

STATE = ROOT / ".state"
WEB_PORT, PHONES_PORT = 8000, 9099
_LOOK_SECONDS = 0.5
_KEEP_SECONDS = 15.0
_QUIET_SECONDS = 60.0
_PIPED_WIDTH = 160


def run(*, reset: bool = False, folder: Path = STATE) -> None:
    """Run the demo until Ctrl-C or SIGTERM. With `reset`, an earlier one's data go first.

    Raises CommandError, which says what to do.
    """
    _forget_settings()
    console = _console()
    clinic = demo_data.sample_clinic()
    if reset:
        StateFolder(folder).remove()
    demo = Demo(console, StateFolder(folder), clinic)
    with _ended_by_signals():
        try:
            demo.start()
            demo.stay()
        except KeyboardInterrupt:
            console.print("\nStopping. Texts on their way are finished first.")
        finally:
            demo.end()
    console.print("Stopped; nothing is left running. `make demo` goes on from here.")


class Demo:
    """One run of the demo."""

    def __init__(self, console: Console, folder: StateFolder, clinic: ClinicFile) -> None:
        self._console = console
        self._folder = folder
        self._clinic = clinic
        self._began = time.monotonic()
        self._open = ExitStack()
        self._stack: Stack | None = None
        self._show: Show | None = None

    def start(self) -> None:
        """Start everything, load the sample clinic, and say where to look."""
        with self._console.status("") as status:
            self._phase(status, "Starting PostgreSQL and Valkey ...")
            stack = self._stack = self._new_stack()
            stack.start_servers()
            self._set_clock(stack)
            self._phase(status, "Loading the sample clinic ...")
            sample = demo_data.write_sample(self._folder.path / "examples", _now(stack))
            running = self._open.enter_context(services(load(_env_file=None, **stack.settings)))
            feed = Feed(self._console, _names(sample), self._clinic.zone)
            feed.known(running)
            # Before a worker runs, so that it meets visits and what happened at them together.
            demo_data.bring_in(running, sample, self._password())
            self._phase(status, "Starting the carrier, web, a worker and beat ...")
            stack.spawn_processes()
            stack.await_processes()
        self._show = Show(stack, feed, running, sample)
        self._introduce(stack, sample)

    def stay(self) -> None:
        """Show what happens, until somebody stops it."""
        if self._stack is None or self._show is None:
            raise RuntimeError("start first")
        show, kept = self._show, 0.0
        with _status(self._console) as status:
            while True:
                self._stack.watch()
                show.look()
                status.update(show.summary())
                if time.monotonic() - kept > _KEEP_SECONDS:
                    kept = time.monotonic()
                    self._folder.keep(until=_now(self._stack).isoformat())
                time.sleep(_LOOK_SECONDS)

    def end(self) -> None:
        """Stop everything in order; a second Ctrl-C stops it at once."""
        stack, self._stack = self._stack, None
        self._open.close()
        if stack is None:
            return
        try:
            stack.stop()
        except KeyboardInterrupt:
            stack.kill()

    def _phase(self, status: Status, words: str) -> None:
        status.update(words)
        if not self._console.is_terminal:
            self._console.print(words)

    def _new_stack(self) -> Stack:
        self._folder.lock()
        sender = self._clinic.sender
        service = f"{sender.messaging_service_sid}={','.join(sender.numbers)}"
        options = Options(
            web_port=_port(WEB_PORT),
            sandbox_port=_port(PHONES_PORT),
            sandbox=("--service", service),
        )
        return Stack(self._folder, options, say=self._say)

    def _set_clock(self, stack: Stack) -> None:
        real = datetime.now(UTC)
        until = self._folder.kept().get("until")
        after = datetime.fromisoformat(until) if until else None
        clinic = self._clinic
        morning = pretended_morning(real, clinic.zone, clinic.staffed(), after=after)
        stack.clock_offset = offset(real, morning)

    def _password(self) -> str:
        kept: str | None = self._folder.kept().get("password")
        if kept is None:
            kept = demo_data.new_password()
            self._folder.keep(password=kept)
        return kept

    def _say(self, sentence: str) -> None:
        self._console.print(Text(sentence, style="bold"))

    def _introduce(self, stack: Stack, sample: Sample) -> None:
        now = _now(stack).astimezone(self._clinic.zone)
        seconds = time.monotonic() - self._began
        self._console.print(
            f"\n[bold]Aftercare is running[/] (after {seconds:.0f} s). At the sample clinic it is "
            f"{now:%A, %B %-d, %-I:%M %p}: every process adds the same offset to its clock.\n"
        )
        table = Table.grid(padding=(0, 2))
        rows = (
            ("Console", f"{stack.web_url}/", f"{demo_data.EMAIL}  {self._password()}"),
            ("Phones", f"{stack.sandbox_url}/", "the patients' phones: read, write"),
            (
                "Commands",
                f"{_near(self._folder.path)}/aftercare followups",
                "or messages, replies, preview P-1001",
            ),
            ("Logs", f"{_near(self._folder.logs)}/", "one file a process"),
        )
        for row in rows:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 2)))
        self._console.print("\nThese patients answer; what needs a person opens a follow-up:")
        people = [
            f"{sample.names[who.patient_id]} (..{sample.numbers[who.patient_id][-4:]}) {who.about}"
            for who in PERSONAS
        ]
        self._console.print(Padding("; ".join(people) + ".", (0, 2)))
        self._console.print(
            "\nThe first texts go at 10:00:00 on the clinic's clock. Ctrl-C stops everything.\n"
        )


class Show:
    """What happens while the demo runs: patients answer, the feed tells."""

    def __init__(self, stack: Stack, feed: Feed, running: Services, sample: Sample) -> None:
        self._stack = stack
        self._feed = feed
        self._running = running
        self._zone = demo_data.sample_clinic().zone
        self._phones = Phones(stack.sandbox_url)
        self._patients = Patients(sample.numbers)
        self._carrier_started = stack.child("carrier").started

    def look(self) -> None:
        """Look once: read the carrier's log, let patients read and write, show follow-ups."""
        if self._carrier_started != self._stack.child("carrier").started:
            self._carrier_started = self._stack.child("carrier").started
            self._phones.rewind()
        try:
            self._look_at_phones()
            self._feed.database(self._running)
        except (OSError, DBAPIError):
            # What is being started again answers soon.
            return

    def _look_at_phones(self) -> None:
        now = time.monotonic()
        entries = self._phones.news()
        self._feed.carrier(entries)
        for entry in entries:
            if entry["kind"] == "create":
                self._patients.read(entry["to"], entry.get("body", ""), at=now)
        for number, body in self._patients.written(at=now):
            self._phones.write(number, body)

    def summary(self) -> str:
        """Return one line: the clinic's clock and what there was so far."""
        feed = self._feed
        return (
            f"{self._running.now.astimezone(self._zone):%H:%M:%S} at the clinic: "
            f"{counted(feed.texts, 'text')}, {feed.delivered} delivered, "
            f"{counted(feed.replies, 'reply', 'replies')}, {counted(feed.follow_ups, 'follow-up')}"
        )


class Quiet:
    """The summary where there is no terminal to draw it on: a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told_at = time.monotonic()
        self._told = ""

    def update(self, summary: str) -> None:
        """Print the summary when it has changed and the last one is a minute old."""
        counts = summary.partition(":")[2]
        if time.monotonic() - self._told_at > _QUIET_SECONDS and counts != self._told:
            self._told_at, self._told = time.monotonic(), counts
            self._console.print(summary)


def _forget_settings() -> None:
    """Let nothing that another installation's shell has set reach the steps run in here."""
    names = {str(field.alias) for field in Settings.model_fields.values()}
    for name in [each for each in os.environ if each.removesuffix("_FILE") in names]:
        del os.environ[name]


def _console() -> Console:
    """Return a console; into a pipe or a file it writes lines of a useful length."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


@contextmanager
def _status(console: Console) -> Iterator[Status | Quiet]:
    if not console.is_terminal:
        yield Quiet(console)
        return
    with console.status("") as status:
        yield status


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a closed terminal and `kill` end the demo as Ctrl-C does."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now(stack: Stack) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=stack.clock_offset)


def _near(path: Path) -> Path:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _names(sample: Sample) -> Mapping[str, str]:
    return {number: sample.names[patient] for patient, number in sample.numbers.items()}


def _port(wanted: int) -> int:
    """Return the wanted port, or a free one where somebody has it."""
    with socket.socket() as probe:
        # As servers do: the last run's closed connections are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted
