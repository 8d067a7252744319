"""The documents say what is there: links, commands, settings, names and examples are compared."""

import csv
import io
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote
from uuid import uuid4

import pytest
import yaml
from prometheus_client import REGISTRY

from cli import main as command_line
from messages.status import MessageStatus
from messages.templates import shipped
from records import gauges
from records.pagefigures import TAKEN_WITHIN, PageFigures
from records.tables import metadata
from schedules import clinic_cover
from schedules.clinic import read_clinic
from schedules.errors import ProtocolError
from schedules.followups import FollowUpReason
from schedules.loader import PROTOCOL_KEYS, STEP_KEYS, TASK_KEYS, load
from schedules.protocol import (
    Anchor,
    AnswerTest,
    ConditionKind,
    HistoryKind,
    Importance,
    LateBooking,
    Purpose,
)
from schedules.reasons import CancelReason, MoveReason, SkipReason
from schedules.yamlfile import parse
from tests.support.source import ROOT, modules
from web.metrics import Metrics, of_flow, of_paging
from worker import process, tasks
from worker.crashpoints import NAMES
from worker.intake import patients, visits
from worker.intake.table import read_table
from worker.services import Services
from worker.settings import Settings

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name / "README.md" for name in ("sandbox", "examples")),
    ]
)
_NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=_NAMES)

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_OUR_FILE = re.compile(
    r"(?:worker|schedules|messages|records|web|cli|sandbox|tests|docs|examples|bench)"
    r"/[\w/.-]*\.(?:py|yaml|md|csv)|(?:README|CONTRIBUTING|CHANGELOG)\.md"
)


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _prose(text: str) -> str:
    return _FENCE.sub("", text)


def _codes(text: str) -> list[str]:
    return _CODE.findall(_prose(text))


def _fences(text: str) -> list[tuple[str, str]]:
    """Return (kind, content) of each fenced block, its indentation taken away."""
    return [
        (kind.strip(), re.sub(f"^{indent}", "", content, flags=re.MULTILINE))
        for indent, kind, content in _FENCE.findall(text)
    ]


def _section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    following = re.search(rf"^#{{1,{len(found[1])}}} ", found[2], re.MULTILINE)
    return found[2][: following.start()] if following else found[2]


def _rows(text: str) -> list[list[str]]:
    """Return the cells of all table rows, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]
    rules = {at for at, row in enumerate(rows) if set("".join(row)) <= set("-|: ")}
    return [row for at, row in enumerate(rows) if at not in rules and at + 1 not in rules]


def _first_codes(text: str) -> list[str]:
    return [code for row in _rows(text) for code in _CODE.findall(row[0])]


def _anchor(heading: str) -> str:
    """Return the fragment that a heading gets on the usual hosts."""
    plain = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower())
    return plain.strip().replace(" ", "-")


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    """A link within the repository names a file that exists, and a heading in it."""
    broken = []
    for link in _LINK.findall(_prose(path.read_text("utf-8"))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            broken.append(link)
        elif fragment:
            headings = _HEADING.findall(_prose(target.read_text("utf-8")))
            if fragment not in map(_anchor, headings):
                broken.append(link)
    assert broken == []


@every_document
def test_files_named_exist(path: Path) -> None:
    """A page that names a file of the repository names one that is there."""
    named = {code for code in _codes(path.read_text("utf-8")) if _OUR_FILE.fullmatch(code)}
    missing = [
        name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()
    ]
    assert missing == []


def _command_lines(text: str) -> Iterator[str]:
    """Yield every `aftercare ...` in code: in backticks, in fenced and in indented blocks."""
    joined = text.replace("\\\n", " ")
    blocks = [content for _, content in _fences(joined)]
    blocks += [line for line in _prose(joined).splitlines() if line.startswith("    ")]
    for block in blocks:
        for line in block.splitlines():
            if found := re.match(r"\s*(?:\.state/)?aftercare ([a-z].*)", line):
                yield found[1].partition("  ")[0].partition(" #")[0]
            if found := re.match(r"\s*docker compose run .* (?:web|worker|beat) ([a-z]+ .*)", line):
                yield found[1]
            if found := re.match(
                r"\s*docker compose exec .*(?:web|worker|beat) aftercare (.*)", line
            ):
                yield found[1]
    for code in _codes(joined):
        if found := re.fullmatch(
            r"(?:\.state/|docker compose exec (?:-T )?web )?aftercare ([a-z].*)", code
        ):
            yield found[1]


@cache
def _loaded(name: str) -> Any:
    return command_line.load(name)


def _fault_of_command(line: str) -> str | None:
    """Return what a command line names that the command line does not have."""
    words = shlex.split(line)
    if words[0] not in command_line.COMMANDS:
        return f"no command {words[0]}"
    command, rest = _loaded(words[0]), words[1:]
    subcommands = getattr(command, "commands", None)
    if subcommands and rest:
        if rest[0] not in subcommands:
            return f"no command {words[0]} {rest[0]}"
        command, rest = subcommands[rest[0]], rest[1:]
    if command.context_settings.get("ignore_unknown_options"):
        return None
    known = {option for each in command.params for option in each.opts} | {"--help"}
    strange = [
        word.partition("=")[0]
        for word in rest
        if word.startswith("--") and word.partition("=")[0] not in known
    ]
    return f"no option {strange[0]} of {words[0]}" if strange else None


@every_document
def test_commands_named_exist(path: Path) -> None:
    """What a reader copies into a terminal is a command, with options that it has."""
    lines = _command_lines(path.read_text("utf-8"))
    assert [fault for line in lines if (fault := _fault_of_command(line))] == []


def test_commands_are_told_of() -> None:
    """The operators' page names every command, so that none has to be found by chance."""
    named = {line.split()[0] for line in _command_lines(_text("docs/operations.md"))}
    assert set(command_line.COMMANDS) - named - {"demo"} == set()


def test_settings_are_those_of_the_code() -> None:
    """Every setting has a row with its default, and every row is a setting."""
    section = _section(_text("docs/operations.md"), "Settings")
    rows = {row[0].strip("`"): row[2] for row in _rows(section) if row[0].isupper()}
    fields = {str(field.alias): field for field in Settings.model_fields.values()}
    assert set(rows) == set(fields)
    for name, field in fields.items():
        if field.is_required():
            assert rows[name] == "required", name
        elif field.default not in (None, ()):
            told = rows[name].strip("`")
            assert told == re.sub(r"\.0$", "", str(field.default)), name


def test_statuses_are_documented() -> None:
    """Each status of a text has a row, and no other word has one."""
    section = _section(_text("docs/states.md"), "A text")
    table = section[: section.index("### Every transition")]
    assert sorted(_first_codes(table)) == sorted(MessageStatus)


def test_reasons_are_documented() -> None:
    """Whoever asks why finds the code that the row holds."""
    told = set(_first_codes(_section(_text("docs/states.md"), "Reasons")))
    assert {*SkipReason, *CancelReason, *MoveReason} - told == set()


def test_crashpoints_are_documented() -> None:
    """Both ways: a test of a crash is found by its name."""
    assert set(_first_codes(_section(_text("docs/reliability.md"), "Crashpoints"))) == NAMES


def test_tables_are_documented() -> None:
    """Every table has its sentence, and no sentence speaks of one that is gone."""
    assert set(_first_codes(_section(_text("docs/architecture.md"), "The data"))) == set(
        metadata.tables
    )


def test_sealed_columns_are_documented() -> None:
    """The privacy page names exactly what is sealed."""
    section = _section(_text("docs/privacy.md"), "What is sealed")
    told = {
        (row[0].strip("`"), column) for row in _rows(section) for column in _CODE.findall(row[1])
    }
    found = set()
    for path in modules():
        if path.parent == ROOT / "records":
            for name, body in re.findall(
                r'__tablename__ = "(\w+)"(.*?)(?=^class |^def |\Z)',
                path.read_text("utf-8"),
                re.MULTILINE | re.DOTALL,
            ):
                found |= {(name, column) for column in re.findall(r"(\w+): Mapped\[Sealed", body)}
    assert told == found


class _NoDatabase:
    """Services whose figures can't be read."""


def _exposed() -> Iterator[str]:
    """Give the names that a scrape of web and worker has, as prometheus_client writes them."""
    figures = gauges.Gauges(
        due=0,
        oldest_due_age=0,
        unknown=0,
        unread=0,
        oldest_unread_age=0,
        pending_receipts=0,
        open_follow_ups={},
        overdue_follow_ups=0,
        strays=0,
        tick_age=0,
    )
    paging = PageFigures(
        opened={},
        deliveries={},
        taken=(0,) * len(TAKEN_WITHIN),
        taken_count=0,
        taken_seconds=0,
        untaken=0,
        past_clock={},
    )
    web = Metrics(cast("Services", _NoDatabase()))
    known = [*of_flow(figures), *of_paging(paging), *web.registry.collect(), *REGISTRY.collect()]
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    for family in known:
        if family.name.startswith("aftercare_"):
            yield from (family.name + end for end in endings.get(family.type, ("",)))


def test_metrics_are_documented() -> None:
    """Every name of a scrape is on the operators' page, and the other way round."""
    text = _text("docs/operations.md")
    # A process's own are registered when its module is read.
    assert process.ROWS
    assert tasks.TICKS
    found = set(_exposed())
    assert set(_first_codes(_section(text, "Metrics"))) == found
    named = {code for code in _codes(text) if re.fullmatch(r"aftercare_\w+", code)}
    assert named - found == set()


def test_the_language_of_protocols_is_documented() -> None:
    """Every key and every word of the language stands on its page."""
    text = _text("docs/protocols.md")
    codes = {word for code in _codes(text) for word in (code, *re.split(r"[,:{} ]+", code)) if word}
    words = {*PROTOCOL_KEYS, *STEP_KEYS, *TASK_KEYS, *Importance, *FollowUpReason}
    phrases: set[str] = {*ConditionKind, *HistoryKind, *Anchor}
    # These stand there with an example of what follows them.
    phrases -= {ConditionKind.ROUTE, ConditionKind.ROUTE_NOT, HistoryKind.SUBSTANCE, Anchor.STEP}
    assert sorted(words - codes) == []
    assert sorted(phrases - codes) == []


def _templates() -> dict[str, frozenset[str]]:
    catalog = shipped()
    return {key: catalog.variables(key) for key in catalog.templates}


def test_protocol_examples_load() -> None:
    """An example that is copied works."""
    blocks = [text for kind, text in _fences(_text("docs/protocols.md")) if kind == "yaml"]
    loaded = [load(text, "example.yaml", templates=_templates()) for text in blocks]
    assert len({protocol.id for protocol in loaded}) == len(blocks) > 3


def _keys_of(value: Any, under: str = "") -> Iterator[str]:
    """Give every key of an example with the one above it: `nudge.after`."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{under}{key}"
            yield from _keys_of(each, f"{key}.")
    elif isinstance(value, list):
        for each in value:
            yield from _keys_of(each, under)


_NESTED = {
    "for": ("visit", "routes", "setting"),
    "detached": ("within", "recheck"),
    "otherwise": ("template", "when", "stays_on"),
    "nudge": ("after", "template"),
    "on_answer": ("when", "open", "severity", "by"),
    "unanswered": ("open", "severity", "misses", "at"),
    "if_not_delivered": ("open", "severity", "call_by", "unproved_minutes"),
    "steps": STEP_KEYS,
    "tasks": TASK_KEYS,
}


def test_every_key_of_a_protocol_stands_in_an_example_that_loads() -> None:
    """Whoever looks a key up finds it in use."""
    blocks = [text for kind, text in _fences(_text("docs/protocols.md")) if kind == "yaml"]
    found = {key for text in blocks for key in _keys_of(yaml.safe_load(text))}
    wanted = {f"{outer}.{key}" for outer, keys in _NESTED.items() for key in keys}
    assert {*PROTOCOL_KEYS, *wanted} - found == set()


def test_every_word_of_the_language_stands_in_an_example_that_loads() -> None:
    """What a time counts from, conditions, tests of answers, and each closed list."""
    blocks = [text for kind, text in _fences(_text("docs/protocols.md")) if kind == "yaml"]
    loaded = [load(text, "example.yaml", templates=_templates()) for text in blocks]
    steps = [step for protocol in loaded for step in protocol.steps]
    parts = [*steps, *(duty for protocol in loaded for duty in protocol.duties)]
    conditions = {one.kind for part in parts for one in part.only_if}
    assert {*ConditionKind, *HistoryKind} - conditions == set()
    assert set(AnswerTest) - {rule.when.test for step in steps for rule in step.on_answer} == set()
    assert set(Importance) - {step.importance for step in steps} == set()
    assert set(Purpose) - {step.purpose for step in steps} == set()
    assert set(LateBooking) - {step.late_booking for step in steps} == set()
    written = "\n".join(blocks)
    assert [anchor for anchor in Anchor if not re.search(rf"\b{anchor}\b", written)] == []


def test_the_faulty_example_has_the_faults_shown() -> None:
    """What the page says the check prints is what it prints."""
    blocks = _fences(_text("docs/protocols.md"))
    (wrong,) = [text for kind, text in blocks if kind == "yaml wrong"]
    (shown,) = [text for kind, text in blocks if kind == "text"]
    with pytest.raises(ProtocolError) as raised:
        load(wrong, "my-protocol.yaml", templates=_templates())
    assert "\n".join(map(str, raised.value.faults)) == shown.strip()


@pytest.mark.parametrize(
    ("name", "sandbox"), [("README.md", True), ("docs/twilio-setup.md", False)]
)
def test_clinic_examples_are_clinic_files(name: str, sandbox: bool) -> None:
    """A clinic's file that is copied is accepted, the real set-up's outside the sandbox too."""
    examples = [text for kind, text in _fences(_text(name)) if kind == "yaml"]
    assert [read_clinic(text, name, sandbox=sandbox).id for text in examples] == ["riverside"]


def test_the_real_set_ups_clinic_has_somebody_to_page() -> None:
    """Whoever follows the page in order ends in a clinic that live mode takes."""
    (example,) = [text for kind, text in _fences(_text("docs/twilio-setup.md")) if kind == "yaml"]
    file = read_clinic(example, "clinic.yaml")
    assert file.on_call
    assert file.lead is not None
    assert clinic_cover.warnings(file, parse(example, "clinic.yaml")) == []


def test_the_readmes_files_are_read_without_a_fault() -> None:
    """The three files of the ten minutes fit each other."""
    blocks = _fences(_text("README.md"))
    (clinic,) = [text for kind, text in blocks if kind == "yaml"]
    people, booked = [text for kind, text in blocks if kind == "csv"]
    _read_without_a_fault(clinic, people, booked)


def test_the_samples_are_read_without_a_fault() -> None:
    """The files beside the sample clinic can be imported."""
    names = ("clinic.yaml", "sample_patients.csv", "sample_appointments.csv")
    _read_without_a_fault(*(_text(f"examples/{name}") for name in names))


def _read_without_a_fault(described: str, people: str, booked: str) -> None:
    clinic = read_clinic(described, "", sandbox=True)
    known = patients.KnownClinic(id=uuid4(), key=clinic.id, file=clinic)
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    table = read_table(people.encode(), required=patients.REQUIRED, optional=patients.OPTIONAL)
    rows, faults = patients.PatientReader(table.columns, [known], now=now).read(table)
    who = {row.external_id: [visits.VisitPatient(id=uuid4(), clinic=known)] for row in rows}
    table = read_table(booked.encode(), required=visits.REQUIRED, optional=visits.OPTIONAL)
    found, more = visits.VisitReader(table.columns, lambda _: (who, set()), now=now).read(table)
    assert [*faults, *more] == []
    assert len(rows) == len(list(csv.DictReader(io.StringIO(people))))
    assert len(found) == len(list(csv.DictReader(io.StringIO(booked))))


def test_decisions_are_numbered_and_whole() -> None:
    """A decision has a number of its own, what it rests on, and what follows from it."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, path in enumerate(records, 1):
        text = path.read_text("utf-8")
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
