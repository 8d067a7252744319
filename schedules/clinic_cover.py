"""What a clinic's file has to say of the hours in which nobody is at work.

Whether anybody is on call, it says itself: `after_hours` left out is a fault. Of a silence that is
urgent (`schedules.terms`) whoever is on call hears on a closed day (care rule 19). A clinic with
nobody has to name who phones (`closed_day_caller`): Monday would be too late. The judgement is made
when a file is read, never of one that is stored: that goes on.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from schedules.errors import Fault
from schedules.loader import load, shipped_files
from schedules.protocol import Protocol, Purpose

if TYPE_CHECKING:
    from schedules.clinic import ClinicFile
    from schedules.yamlfile import Located

_UNSAID = (
    "after_hours is missing: say whether anybody is paged outside staffed hours",
    "Add after_hours: on_call, or after_hours: none if nobody is, and texts then promise nobody",
)
_PLACE = ("after_hours",)
_MESSAGE = "nobody phones on closed days about silence that is urgent"
_MEND = (
    'Add closed_day_caller: {name: Kim, phone: "+12125550191"}, who phones then, '
    "or write after_hours: on_call"
)


def faults(file: ClinicFile, located: Located) -> list[Fault]:
    """Return what a clinic may not leave open: its nights, and closed days of such patients."""
    if "after_hours" not in file.model_fields_set:
        return [located.fault((), *_UNSAID)]
    if not _is_open(file):
        return []
    urgent = {one.name for one in file.terms.substances if one.silence_is_urgent}
    for protocol in _known(file.protocols):
        if named := sorted(urgent & protocol.substances):
            message = f"{_MESSAGE} ({', '.join(named)}), and {protocol.id} is on"
            return [located.fault(_PLACE, message, _MEND)]
    return []


def warnings(file: ClinicFile, located: Located) -> list[Fault]:
    """Return the fault's milder form, for check-ins that may have such patients among theirs."""
    if not _is_open(file) or not any(map(_asks_anybody, _known(file.protocols))):
        return []
    named = ", ".join(one.name for one in file.terms.substances if one.silence_is_urgent)
    if not named:
        return []
    message = f"{_MESSAGE}, if any of yours is treated for {named}"
    return [located.fault(_PLACE, message, _MEND)]


def _asks_anybody(protocol: Protocol) -> bool:
    checks_in = any(step.purpose is Purpose.CHECK_INS for step in protocol.steps)
    return checks_in and not protocol.substances


def _known(names: tuple[str, ...]) -> list[Protocol]:
    """Return those of a clinic's protocols that come with the product."""
    files = shipped_files()
    return [_read(name) for name in names if f"{name}.yaml" in files]


@cache
def _read(name: str) -> Protocol:
    return load(shipped_files()[f"{name}.yaml"], name, published=True)


def _is_open(file: ClinicFile) -> bool:
    week = file.staffed_hours.by_weekday()
    closes = not all(week.values()) or file.holidays.country is not None or file.holidays.extra
    return bool(closes) and not file.staffed().on_call and file.closed_day_caller is None
