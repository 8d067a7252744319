"""A mapping file: how one record system's export becomes `patients.csv` or `appointments.csv`.

It says which of the file's columns is which of ours, how days and times are written, what the
system's own words mean, and what holds for every row. It is read with all its faults at once, each
with its line and its mend; docs/imports.md shows every key.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers

from schedules.clinic_fields import is_zone, zone_meant
from schedules.errors import Fault, FileFaults
from schedules.phrases import PhraseError
from schedules.sections import Section
from schedules.yamlfile import Located, parse
from worker.intake.mapped import APPOINTMENTS, PARTS, PATIENTS, MappingFile, Source, word
from worker.intake.sheet import DELIMITERS
from worker.intake.table import CellError
from worker.intake.written import PLAIN, TIME_FORMS, DateForm, Written

_KINDS: Final = {kind.name: kind for kind in (PATIENTS, APPOINTMENTS)}


class MappingError(FileFaults):
    """A mapping file says something that cannot be carried out."""


#: The keys of the language, as docs/imports.md tells them.
KEYS: Final = ("for", "file", "columns", "constants", "formats", "words")
FILE_KEYS: Final = ("encoding", "delimiter", "leave_out")
FORMAT_KEYS: Final = ("date", "time", "zone", "phone", "spreadsheet")
SOURCE_KEYS: Final = ("column", "take", "date", "time", "minutes")
#: By the names that people know, with Python's.
ENCODINGS: Final = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "windows-1252": "cp1252",
    "iso-8859-1": "latin-1",
    "mac-roman": "mac-roman",
}
_SHORTEST_BEGINNING = 4
#: An empty cell of these stands for nothing: least of all for "booked" (care rule 25).
_NEVER_EMPTY: Final = ("status", "kind")


def read_mapping(text: str, file: str, kind: str) -> MappingFile:
    """Read a mapping file for `patients` or `appointments`. Raises MappingError."""
    located = parse(text, file)
    if not isinstance(located.value, dict):
        mend = f"Begin with `for: {kind}` and `columns:`"
        raise MappingError([located.fault((), "a mapping is a list of `key: value` lines", mend)])
    return _Reader(located, kind).read()


class _Reader:
    """Reads one mapping, and collects its faults."""

    def __init__(self, located: Located, kind: str) -> None:
        self._faults: list[Fault] = []
        self._top = Section(
            file=located, path=(), what="mapping", values=located.value, faults=self._faults
        )
        self._kind = _KINDS[kind]

    def read(self) -> MappingFile:
        top = self._top
        top.only(KEYS)
        top.need("for", "columns")
        self._check_kind()
        encoding, delimiter, leave_out = self._file()
        written = self._formats()
        sources, constants = self._sources(), self._constants()
        words = self._words()
        for name in sorted(sources.keys() & constants.keys()):
            message = f"`{name}` stands under columns: and under constants:"
            top.fault("constants", message, "Keep one of the two")
        if self._faults:
            raise MappingError(self._faults)
        return MappingFile(
            file=top.file.file,
            kind=self._kind,
            encoding=encoding,
            delimiter=delimiter,
            leave_out=leave_out,
            sources=sources,
            constants=constants,
            words=words,
            written=written,
        )

    def _check_kind(self) -> None:
        said = self._top.text("for")
        if said is not None and said != self._kind.name:
            self._top.fault(
                "for",
                f"this mapping is for {said}, and {self._kind.name} are being imported",
                f"Write `for: {self._kind.name}`, or use the other mapping",
            )

    def _file(self) -> tuple[str | None, str | None, tuple[str, ...]]:
        section = self._top.section("file", "file")
        if section is None:
            return None, None, ()
        section.only(FILE_KEYS)
        encoding = section.phrase("encoding", _known(tuple(ENCODINGS)))
        delimiter = section.phrase("delimiter", _known(tuple(DELIMITERS)))
        return (
            ENCODINGS[encoding] if encoding else None,
            DELIMITERS[delimiter] if delimiter else None,
            section.phrases("leave_out", _beginning),
        )

    def _formats(self) -> Written:
        section = self._top.section("formats", "formats")
        if section is None:
            return PLAIN
        section.only(FORMAT_KEYS)
        mend = section.phrase("spreadsheet", _known(("mend", "refuse"))) == "mend"
        return Written(
            days=section.phrase("date", _date_form),
            times=section.phrase("time", _known(TIME_FORMS)),
            zone=section.phrase("zone", _zone),
            region=section.phrase("phone", _region) or "US",
            mend=mend,
        )

    def _sources(self) -> dict[str, Source]:
        section = self._top.section("columns", "columns")
        if section is None:
            return {}
        self._only_ours(section)
        found = {}
        for ours, value in section.values.items():
            source = self._source(section, ours, value)
            if source is not None:
                found[ours] = source
        return found

    def _source(self, section: Section, ours: str, value: Any) -> Source | None:
        line = section.file.line((*section.path, ours))
        if not isinstance(value, dict):
            name = section.text(ours)
            if name is None and value in (None, ""):
                section.fault(ours, f"`{ours}` names no column", "Write the file's own name of it")
            return Source(columns=(name,), line=line) if name else None
        part = section.section(ours, ours)
        if part is None:
            return None
        part.only(SOURCE_KEYS)
        if "minutes" in value and ours == "ends_at":
            return self._minutes(part, line)
        if "date" in value or "time" in value:
            part.need("date", "time")
            names = [part.text(key) for key in ("date", "time")]
            return Source(columns=tuple(filter(None, names)), line=line)
        part.need("column")
        name, take = part.text("column"), part.phrase("take", _known(tuple(PARTS)))
        return Source(columns=(name,), take=take, line=line) if name else None

    def _minutes(self, part: Section, line: int) -> Source | None:
        name = part.text("minutes")
        return Source(columns=(name,), take="minutes", line=line) if name else None

    def _constants(self) -> dict[str, str]:
        section = self._top.section("constants", "constants")
        if section is None:
            return {}
        self._only_ours(section)
        found = {ours: section.text(ours) or "" for ours in section.values}
        for ours, text in found.items():
            if ours in self._kind.words:
                self._check_word(section, ours, ours, text)
        if (length := found.get("ends_at", "+")).isdigit():
            found["ends_at"] = f"+{length}"
        elif not length.startswith("+"):
            mend = "Write the length of a visit: +90 min"
            section.fault("ends_at", "not every visit ends at one time", mend)
        return found

    def _words(self) -> dict[str, dict[str, str]]:
        section = self._top.section("words", "words")
        if section is None:
            return {}
        self._only_ours(section)
        found = {}
        for ours in section.values:
            part = section.section(ours, f"words for {ours}")
            if part is not None:
                found[ours] = self._translations(part, ours)
        return found

    def _translations(self, part: Section, ours: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for theirs in part.values:
            text = part.text(theirs) or ""
            if word(theirs) in found:
                part.fault(theirs, f"`{theirs}` stands here twice", "Keep one of the two")
            found[word(theirs)] = text
            if not theirs.strip() and ours in _NEVER_EMPTY:
                message = f"an empty cell stands for no {ours}"
                part.fault(theirs, message, "Have the record system fill the column")
            if ours in self._kind.words:
                self._check_word(part, theirs, ours, text)
        return found

    def _check_word(self, section: Section, key: str, ours: str, text: str) -> None:
        if not text and ours not in _NEVER_EMPTY:
            return
        try:
            self._kind.words[ours](text)
        except CellError as error:
            section.fault(key, f"for {ours}, {error}", f"Write a word of {self._kind.name}.csv")

    def _only_ours(self, section: Section) -> None:
        section.only(self._kind.columns)


def _known(words: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise PhraseError(f"`{text}` is not known here", f"Known are {'; '.join(words)}")
        return text

    return read


def _beginning(text: str) -> str:
    """Read how a line begins that is no row; a letter or two would leave out patients."""
    if len(text) < _SHORTEST_BEGINNING:
        raise PhraseError(f"`{text}` is too short", "Write a word that such a line begins with")
    return text


def _date_form(text: str) -> DateForm:
    try:
        return DateForm(text)
    except ValueError as error:
        raise PhraseError(
            f"`{text}` is no form: {error}", "Write MM/DD/YYYY, for example"
        ) from None


def _zone(text: str) -> ZoneInfo:
    if not is_zone(text):
        raise PhraseError(f"`{text}` is no time zone", zone_meant(text))
    return ZoneInfo(text)


def _region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise PhraseError(f"`{text}` is no country", "Write its two letters, such as US")
    return text
