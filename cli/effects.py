"""Shows what a change does to live patients: in words for people, or one JSON object a line."""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer

from cli import output
from cli.errors import refuse
from schedules import coverage
from schedules.clinic import ClinicFile
from schedules.planner import HORIZON
from schedules.protocol import Protocol
from worker import enrolling
from worker.clinicfiles import Compared
from worker.costs import Price
from worker.counting import counted
from worker.effects import Change, Effects, Forecast, TextEffect, What, effects_of
from worker.facts import clinic_facts
from worker.reasons import in_plain_words
from worker.services import Services

#: A change of these changes which answers somebody is there for, and which minutes are allowed.
_HOURS = frozenset({"staffed_hours", "holidays", "send_window", "timezone", "after_hours"})
#: How many single texts are listed unless all are asked for.
LISTED = 20

Told = Callable[[int], None]


@contextmanager
def progress(label: str) -> Iterator[tuple[Told, Told]]:
    """Yield what is told how many patients there are, and each batch; a bar on a terminal only."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console  # noqa: PLC0415 - Only a terminal needs it.
    from rich.progress import Progress  # noqa: PLC0415 - Only a terminal needs it.

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield (
            lambda total: bar.update(task, total=total),
            lambda done: bar.update(task, advance=done),
        )


def looked_at(services: Services, change: Change) -> Effects:
    """Plan everybody concerned, with a progress bar on a terminal."""
    with progress("Looking at patients") as (on_start, on_progress):
        return effects_of(services, change, on_start=on_start, on_progress=on_progress)


def unread(protocol: Protocol, file: ClinicFile) -> list[str]:
    """Say where nobody would read an answer, or too few hours follow a text (care rule 4)."""
    routes = file.terms.route_names
    return coverage.warnings(protocol, clinic_facts(file), now=datetime.now(UTC), routes=routes)


def warn(compared: Compared) -> None:
    """Say of a clinic's file, before it is applied, where nobody would read an answer by it.

    Of what it publishes or switches on; of all that is on, own ones too, where hours change.
    """
    file, known = compared.change.file, compared.change.protocols
    before = {change.field: change.before for change in compared.changes}
    names = {name for name, _ in compared.published}
    names |= set(file.protocols) - set(before.get("protocols", file.protocols) or ())
    if _HOURS & {field.split(".")[0] for field in before}:
        names = set(known)
    for name in enrolling.switched_on(file):
        for warning in unread(known[name][0], file) if name in names & known.keys() else ():
            output.say(f"warning: {name}, {warning}")


def as_json(found: Effects, price: Price, *, line: Callable[[str], None] = output.result) -> None:
    """Print each text that goes otherwise, then the forecast."""
    for one in found.texts:
        said = asdict(one)
        said = {"effect": said.pop("what"), "patient_id": said.pop("patient"), **said}
        line(output.json_line({**said, "why": _why(one)}))
    forecast: dict[str, Any] = {
        name: {**asdict(held), "cost": str(price.of(held.segments))}
        for name, held in (("before", found.before), ("after", found.after))
    }
    forecast |= {
        "days": HORIZON.days,
        "patients": found.patients,
        "left_out": found.left_out,
        "segment_price": str(price.amount),
        "price_assumed": price.assumed,
        "items_per_100_questions": found.usual_items,
        "depending_lost": found.lost,
        "depending_gained": found.gained,
        **found.counts,
    }
    line(output.json_line({"forecast": forecast}))


def in_words(
    found: Effects, price: Price, zone: ZoneInfo, *, everything: bool, line: Callable[[str], None]
) -> None:
    """Print what changes for whom and when, and what the next days hold before and after."""
    people = len({one.patient for one in found.texts})
    concerned = counted(found.patients, "patient is concerned", "patients are concerned")
    line(f"  {concerned}; texts change for {people}")
    if found.left_out:
        follow = counted(found.left_out, "patient follows", "patients follow")
        line(f"  {follow} a version that can't be read: what changes for them can't be shown")
    for what, each in _by_what(found.texts):
        whom = counted(len({one.patient for one in each}), "patient")
        line(f"  {what.value}: {counted(len(each), 'text')} for {whom}")
        for step, count in sorted(Counter((one.protocol, one.step) for one in each).items()):
            line(f"    {step[0]}/{step[1]}: {count}")
    for how, changed in (("no longer go", found.lost), ("would go", found.gained)):
        for protocol, count in sorted(changed.items()):
            line(f"  {protocol}: what follows a recorded visit {how} for {count} patients")
    shown = found.texts if everything else found.texts[:LISTED]
    for one in shown:
        line(f"    {_of_one(one, zone)}")
    if len(shown) < len(found.texts):
        line(f"    and {len(found.texts) - len(shown)} more: --all lists them, --json too")
    _forecast(found, price, line)


def _by_what(texts: Sequence[TextEffect]) -> Iterator[tuple[What, list[TextEffect]]]:
    found: dict[What, list[TextEffect]] = defaultdict(list)
    for one in texts:
        found[one.what].append(one)
    return ((what, found[what]) for what in What if found[what])


def _of_one(one: TextEffect, zone: ZoneInfo) -> str:
    home = ZoneInfo(one.zone)
    times = " -> ".join(
        f"{at.astimezone(home):%a %Y-%m-%d %H:%M %Z}" for at in (one.was_at, one.now_at) if at
    )
    # By the patient's own clock, as in a preview; named where it is not the clinic's.
    times += "" if home.key == zone.key else f" ({home.key})"
    why = f" ({_why(one)})" if one.reason else ""
    return f"{one.patient}  {one.what.value}  {one.protocol}/{one.step}  {times}{why}"


def _why(one: TextEffect) -> str | None:
    return in_plain_words(one.reason) if one.reason else None


def _forecast(found: Effects, price: Price, line: Callable[[str], None]) -> None:
    line(f"  The next {HORIZON.days} days, before -> after:")
    line(f"    texts: {found.before.texts} -> {found.after.texts}")
    line(f"    segments: {found.before.segments} -> {found.after.segments}")
    costs = [price.of(held.segments) for held in (found.before, found.after)]
    line(f"    cost: {costs[0]:.2f} -> {costs[1]:.2f} (at {price})")
    line(f"    calls that staff must make: {found.before.calls} -> {found.after.calls}")
    line(f"    questions asked: {found.before.questions} -> {found.after.questions}")
    depending = f"{found.before.depending} -> {found.after.depending}"
    line(f"    and for visits to come, once they are recorded: {depending} texts")
    if found.usual_items is not None:
        about = [_items(held, found.usual_items) for held in (found.before, found.after)]
        line(
            f"    items from answers and silence, at the rate of the last weeks: "
            f"about {about[0]} -> {about[1]}"
        )


def _items(held: Forecast, usual: float) -> int:
    return round(held.questions * usual / 100)


def confirmed(question: str, *, yes: bool) -> None:
    """Go on after a yes; without a terminal only with --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        refuse("Nothing was changed. Without a terminal say --yes once you have seen the above.")
    if not agreed(question):
        refuse("Nothing was changed.")


def agreed(question: str) -> bool:
    """Ask on standard error, since programs read the other; nobody there to ask means no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def password(email: str) -> str:
    """Ask for somebody's password on a terminal; else read one line from standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password of {email}", hide_input=True, err=True))
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        refuse("No password: type it, or give it as one line on standard input.")
    return given
