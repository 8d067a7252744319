"""Reads the product's YAML files, and remembers on which line everything stood.

The first stop of `clinic.yaml` and of every protocol: later checks speak of keys, and this file
turns a key path back into a line, so that a coordinator reads "file:line: what. How to mend it".

It reads a plain part of YAML on purpose. `no`, `on` and `Y` stay words, `17:00` stays a clock time
and `2026-12-24` stays a date in letters, because YAML 1.1's guesses about these are the best known
way to get a wrong time out of a right file. Aliases, tags and merge keys are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from schedules.errors import Fault, YamlFileError

#: A file beyond this is no schedule; it is refused before the parser spends time on it.
MAX_CHARACTERS = 1_000_000
#: Deeper than any file of this product goes.
MAX_DEPTH = 20

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A file's plain value (dict, list, str, int, float, bool, None) and where each part stood."""

    file: str
    value: Any
    lines: dict[KeyPath, int] = field(repr=False)

    def line(self, path: KeyPath = ()) -> int:
        """Return the line of a key path such as `("steps", 0, "when")`.

        A path that is not in the file gets the line of its nearest parent, which is where a
        missing key is to be added.
        """
        for length in range(len(path), -1, -1):
            if (found := self.lines.get(path[:length])) is not None:
                return found
        return 0

    def fault(self, path: KeyPath, message: str, mend: str) -> Fault:
        """Name a fault at a key path."""
        return Fault(file=self.file, line=self.line(path), message=message, mend=mend)


class _PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader without YAML 1.1's guesses about words, clocks and dates."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own registry.


# No checker can follow the base: which one there is depends on how PyYAML was built.
class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where PyYAML was built with it: a tenth of the time."""

    yaml_implicit_resolvers = _PlainLoader.yaml_implicit_resolvers


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["~", "n", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789"),
    ("float", r"^[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]+$", "-+0123456789"),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "bool", "null", "int", "float", "map", "seq")
)


def parse(text: str, file: str) -> Located:
    """Read one YAML document.

    Raises `schedules.errors.YamlFileError` with every fault found: a syntax error (only the first
    can be known), and all duplicate keys, aliases, tags and keys that are not words.
    """
    node, faults = _compose(text, file)
    lines: dict[KeyPath, int] = {}
    value: Any = None
    if node is not None and not faults:
        reader = _Reader(file=file, lines=lines, faults=faults)
        value = reader.read(node, ())
    if faults:
        raise YamlFileError(faults)
    return Located(file=file, value=value, lines=lines)


def _compose(text: str, file: str) -> tuple[yaml.Node | None, list[Fault]]:
    """Parse to nodes, which know their lines; every way the parser fails becomes a fault."""
    if len(text) > MAX_CHARACTERS:
        return None, [_whole(file, "the file is longer than 1,000,000 characters", "Split it.")]
    try:
        return _composed(text, file, _FastLoader)
    except (yaml.YAMLError, UnicodeError):
        # Of a broken file the slow one says better what is wrong, and on which line.
        return _composed_or_broken(text, file)


def _composed_or_broken(text: str, file: str) -> tuple[yaml.Node | None, list[Fault]]:
    try:
        return _composed(text, file, _PlainLoader)
    except yaml.MarkedYAMLError as error:
        return None, [_from_yaml(error, file)]
    except yaml.YAMLError as error:
        mend = "Save the file as plain UTF-8 text."
        return None, [_whole(file, f"the file holds a character YAML refuses ({error})", mend)]


def _composed(text: str, file: str, loader: Any) -> tuple[yaml.Node | None, list[Fault]]:
    faults = list(_refused_parts(text, file, loader))
    return (None, faults) if faults else (yaml.compose(text, Loader=loader), [])


def _refused_parts(text: str, file: str, loader: Any) -> Iterator[Fault]:
    """Find what would cost too much to read, before it is read.

    A chain of aliases can name billions of values in a few lines, and PyYAML needs minutes for
    some kilobytes of opening brackets.
    """
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield Fault(
                file=file,
                line=_line(event.start_mark),
                message="`&` and `*` references are not read here",
                mend="Write the value out, or put it in quotes if it is a text.",
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = _line(event.start_mark)
            mend = f"Use at most {MAX_DEPTH} levels."
            yield Fault(file=file, line=line, message="this is nested too deeply", mend=mend)
            return


def _from_yaml(error: yaml.MarkedYAMLError, file: str) -> Fault:
    reason = " ".join(str(part) for part in (error.context, error.problem) if part)
    return Fault(
        file=file,
        line=_line(error.problem_mark or error.context_mark),
        message=f"this is not readable YAML: {reason}",
        mend="Check the indentation (spaces, never tabs), colons and quotes around this line.",
    )


def _line(mark: Any) -> int:
    """Give the line of PyYAML's mark, which counts from 0; its stubs leave three types for one."""
    return 0 if mark is None else int(mark.line) + 1


def _whole(file: str, message: str, mend: str) -> Fault:
    return Fault(file=file, line=0, message=message, mend=mend)


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Turns nodes into plain values, noting lines and collecting faults on the way."""

    file: str
    lines: dict[KeyPath, int]
    faults: list[Fault]

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        # A mapping entry is located by its key, which set the line already.
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            self._fault(node, f"the tag {node.tag} is not read here", "Remove it.")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, at)) for at, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, "a key must be one word", "Put a word before the colon.")
                continue
            key = str(key_node.value)
            if key in values:
                first = self.lines[(*path, key)]
                self._fault(
                    key_node, f"`{key}` stands here and on line {first}", "Keep one of the two."
                )
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            values[key] = self.read(value_node, (*path, key))
        return values

    def _fault(self, node: yaml.Node, message: str, mend: str) -> None:
        line = node.start_mark.line + 1
        self.faults.append(Fault(file=self.file, line=line, message=message, mend=mend))


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "bool":
            return text == "true"
        case "null":
            return None
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text
