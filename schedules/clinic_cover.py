"""What a clinic's file has to say of the hours in which nobody is at work.

Whether anybody is on call, it says itself: `after_hours` left out is a fault. Of an opioid
patient's silence on a closed day whoever is on call hears (care rule 19). A clinic with nobody has
to name who phones (`closed_day_caller`): tolerance falls in the first weeks, and Monday would be
too late. The judgement is made when a file is read, never of one that is stored: that goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schedules.errors import Fault

if TYPE_CHECKING:
    from schedules.clinic import ClinicFile
    from schedules.yamlfile import Located

#: Check-ins that are for opioid patients alone, and those that may have some among theirs.
_FOR_OPIOIDS = "relapse-prevention-opioids"
_CHECK_INS = ("daily-check-in", "relapse-prevention")
_UNSAID = (
    "after_hours is missing: say whether anybody is paged outside staffed hours",
    "Add after_hours: on_call, or after_hours: none if nobody is, and texts then promise nobody",
)
_PLACE = ("after_hours",)
_MESSAGE = "nobody phones about an opioid patient's silence on closed days"
_MEND = (
    'Add closed_day_caller: {name: Kim, phone: "+12125550191"}, who phones then, '
    "or write after_hours: on_call"
)


def faults(file: ClinicFile, located: Located) -> list[Fault]:
    """Return what a clinic may not leave open: its nights, and an opioid patient's closed days."""
    if "after_hours" not in file.model_fields_set:
        return [located.fault((), *_UNSAID)]
    if not _is_open(file) or _FOR_OPIOIDS not in file.protocols:
        return []
    return [located.fault(_PLACE, f"{_MESSAGE}, and {_FOR_OPIOIDS} is on", _MEND)]


def warnings(file: ClinicFile, located: Located) -> list[Fault]:
    """Return the fault's milder form, for check-ins that may have opioid patients among theirs."""
    if not _is_open(file) or not any(name in file.protocols for name in _CHECK_INS):
        return []
    return [located.fault(_PLACE, f"{_MESSAGE}, if any of yours is one", _MEND)]


def _is_open(file: ClinicFile) -> bool:
    week = file.staffed_hours.by_weekday()
    closes = not all(week.values()) or file.holidays.country is not None or file.holidays.extra
    return bool(closes) and not file.staffed().on_call and file.closed_day_caller is None
