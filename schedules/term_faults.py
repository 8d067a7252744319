"""Routes and substances that a protocol names and a clinic does not know: a typo, or one to add."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from schedules.errors import Fault
from schedules.protocol import Condition, Protocol
from schedules.terms import Terms
from schedules.yamlfile import KeyPath, Located


def of(protocol: Protocol, file: Located, terms: Terms) -> Iterator[Fault]:
    """Give a fault for each name that is not known, where it stands."""
    if protocol.visits is not None:
        yield from _unknown(file, ("for", "routes"), "route", protocol.visits.routes, terms)
    yield from _unknown(file, ("substances",), "substance", protocol.substances, terms)
    for at, step in enumerate(protocol.steps):
        yield from _of_conditions(file, ("steps", at, "only_if"), step.only_if, terms)
    for at, duty in enumerate(protocol.duties):
        yield from _of_conditions(file, ("tasks", at, "only_if"), duty.only_if, terms)


def _of_conditions(
    file: Located, path: KeyPath, conditions: Sequence[Condition], terms: Terms
) -> Iterator[Fault]:
    for at, condition in enumerate(conditions):
        where = (*path, at)
        yield from _unknown(file, where, "route", condition.routes, terms)
        yield from _unknown(file, where, "substance", condition.substances, terms)


def _unknown(
    file: Located, path: KeyPath, what: str, names: Iterable[str], terms: Terms
) -> Iterator[Fault]:
    known = terms.route_names if what == "route" else terms.substance_names
    for name in sorted(set(names) - set(known)):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean `{near[0]}`? " if near else ""
        mend = (
            f"{hint}Known are {', '.join(known)}; a clinic adds its own under `{what}s:` in its "
            "file, which `--clinic` names"
        )
        yield file.fault(path, f"`{name}` is no {what}", mend)
