"""Routes and substances: which there are, what staff read for them, and what code has to know.

The shipped ones stand in `terms.yaml`; a clinic's file adds its own. Protocols, imports and
conditions name them, and nothing in the code compares with a name.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from schedules.yamlfile import parse

#: How a route or a substance is named in files.
NAME = r"[a-z][a-z0-9_-]{0,30}"
_FILE = "terms.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way in which a dose is given. `shown` is what staff read."""

    name: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """What somebody is treated for.

    `also` are other words for it. `silence_is_urgent`: an unanswered question or a pause of the
    first weeks weighs more (care rules 19 and 20).
    """

    name: str
    shown: str
    also: tuple[str, ...] = ()
    silence_is_urgent: bool = False

    def is_meant_by(self, word: str) -> bool:
        """Whether a record's word, in small letters, means this, also within a sentence."""
        return self.name.rstrip("s") in word or any(
            re.search(rf"\b{re.escape(other)}\b", word) for other in self.also
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The routes and substances that a clinic knows, each by its name."""

    routes: tuple[Route, ...]
    substances: tuple[Substance, ...]

    @property
    def route_names(self) -> tuple[str, ...]:
        """Give what files may write for a route."""
        return tuple(route.name for route in self.routes)

    @property
    def substance_names(self) -> tuple[str, ...]:
        """Give what protocols may write for a substance."""
        return tuple(substance.name for substance in self.substances)

    def route_shown(self, name: str) -> str:
        """Give what staff read for a route; one that is known no more is shown as it stands."""
        return next((route.shown for route in self.routes if route.name == name), name)

    def meant_by(self, named: Iterable[object] | None) -> frozenset[str]:
        """Give the names of the substances that a patient's record tells of, in its own words."""
        return frozenset(one.name for one in self._meant_by(named))

    def urgent_in(self, named: Iterable[object] | None) -> bool:
        """Whether silence weighs more for somebody with this record."""
        return any(one.silence_is_urgent for one in self._meant_by(named))

    def _meant_by(self, named: Iterable[object] | None) -> list[Substance]:
        told = [named] if isinstance(named, str) else named or ()
        words = [str(word).casefold() for word in told]
        return [one for one in self.substances if any(map(one.is_meant_by, words))]

    def extended(
        self, routes: Mapping[str, Mapping[str, Any]], substances: Mapping[str, Mapping[str, Any]]
    ) -> "Terms":
        """Add a clinic's own; of one that is known already, what is said takes its place."""
        return Terms(
            routes=_merged(self.routes, Route, routes),
            substances=_merged(self.substances, Substance, substances),
        )


def _merged(known: tuple[Any, ...], kind: type[Any], more: Mapping[str, Any]) -> tuple[Any, ...]:
    found = {one.name: one for one in known}
    for name, values in more.items():
        said = {key: value for key, value in values.items() if value is not None}
        if name in found:
            found[name] = replace(found[name], **said)
        else:
            found[name] = kind(**{"name": name, "shown": name, **said})
    return tuple(found.values())


@cache
def shipped() -> Terms:
    """Give the routes and substances that come with the product."""
    text = (resources.files("schedules") / _FILE).read_text(encoding="utf-8")
    value = parse(text, _FILE).value
    substances = {
        name: {**said, "also": tuple(said.get("also", ()))}
        for name, said in value["substances"].items()
    }
    return Terms(routes=(), substances=()).extended(value["routes"], substances)
