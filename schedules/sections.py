"""Reads one mapping of a YAML file key by key, and collects a fault instead of stopping at one.

Used by the protocol loader. Each reader gives None for a value that is missing or wrong, and has
then noted why; the loader builds its values only when no fault was noted.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from schedules.errors import Fault
from schedules.phrases import PhraseError
from schedules.yamlfile import KeyPath, Located

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(slots=True, kw_only=True, eq=False)
class Section:
    """A mapping at a key path. `what` names it in faults ("step `ride`")."""

    file: Located
    path: KeyPath
    what: str
    values: dict[str, Any]
    faults: list[Fault]

    def fault(self, key: str | None, message: str, mend: str) -> None:
        """Note a fault at a key, or at the section itself."""
        path = self.path if key is None else (*self.path, key)
        self.faults.append(self.file.fault(path, f"{self.what}: {message}", mend))

    def only(self, known: Collection[str]) -> None:
        """Note every key that is not known, with the nearest that is."""
        for key in self.values:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"Did you mean `{near[0]}`?" if near else f"Known are {', '.join(known)}"
                self.fault(key, f"`{key}` is not a key here", hint)

    def need(self, *keys: str) -> None:
        """Note every key that must be there and is not; a misspelt one is noted by `only`."""
        for key in keys:
            misspelt = get_close_matches(key, set(self.values) - set(keys), n=1, cutoff=0.8)
            if self.values.get(key) is None and not misspelt:
                self.fault(None, f"`{key}` is missing", f"Add a line `{key}: ...`")

    def text(self, key: str) -> str | None:
        """Read a word or sentence; a number counts as its digits."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value.strip() or None if value else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.fault(key, f"`{key}` must be a word or a sentence", "Write it after the colon")
        return None

    def phrase(self, key: str, read: Callable[[str], T]) -> T | None:
        """Read a sentence of the language with a reader that raises PhraseError."""
        return self._read(key, self.text(key), read)

    def phrases(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Read one sentence or a list of them."""
        value = self.values.get(key)
        if not isinstance(value, list):
            one = self.phrase(key, read)
            return () if one is None else (one,)
        found = (self._read(key, str(each), read) for each in value)
        return tuple(each for each in found if each is not None)

    def choice(self, key: str, kind: type[E]) -> E | None:
        """Read one word out of a closed list."""
        text = self.text(key)
        if text is None:
            return None
        with suppress(ValueError):
            return kind(text)
        near = get_close_matches(text, list(kind), n=1)
        hint = f"Did you mean `{near[0]}`? " if near else ""
        self.fault(key, f"`{text}` is no {key}", f"{hint}Known are {', '.join(kind)}")
        return None

    def number(self, key: str, *, low: float, high: float) -> float | None:
        """Read a number within bounds, both included."""
        value = self.values.get(key)
        if value is None:
            return None
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if good and low <= value <= high:
            return float(value)
        self.fault(key, f"`{value}` is no usable {key}", f"Write a number from {low} to {high}")
        return None

    def section(self, key: str, what: str) -> "Section | None":
        """Go into a mapping."""
        value = self.values.get(key)
        if value is None:
            return None
        return self._enter((*self.path, key), value, what)

    def sections(self, key: str, what: str) -> "Iterator[Section]":
        """Go into each mapping of a list; a single mapping counts as a list of one."""
        value = self.values.get(key)
        if isinstance(value, dict):
            if (one := self.section(key, what)) is not None:
                yield one
            return
        if value is not None and not isinstance(value, list):
            self.fault(key, f"`{key}` must be a list", "Start each entry with a dash")
            return
        for at, each in enumerate(value or ()):
            if (one := self._enter((*self.path, key, at), each, what)) is not None:
                yield one

    def _enter(self, path: KeyPath, value: Any, what: str) -> "Section | None":
        if isinstance(value, dict):
            return Section(file=self.file, path=path, what=what, values=value, faults=self.faults)
        message = f"{what}: this must be a list of `key: value` lines"
        mend = "Indent the keys below it, each with a colon"
        self.faults.append(self.file.fault(path, message, mend))
        return None

    def _read(self, key: str, text: str | None, read: Callable[[str], T]) -> T | None:
        if text is None:
            return None
        try:
            return read(text)
        except PhraseError as error:
            self.fault(key, error.message, error.mend)
            return None
