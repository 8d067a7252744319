"""The page on the clinic's file names every key of it, with the default of the code."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schedules.clinic import ClinicFile, Week
from schedules.safety import CLINIC_SAFETY_FIELDS
from tests.support.source import ROOT

_PAGE = (ROOT / "docs" / "clinic-file.md").read_text("utf-8")
_ROW = re.compile(r"^\| `([\w.]+)` \|(.*)\|$", re.MULTILINE)
_TOLD = {key: [cell.strip() for cell in rest.split("|")] for key, rest in _ROW.findall(_PAGE)}
# Accepted, and told of below the tables: nothing reads it.
_IDLE = {"detail_level"}
# Safety content as far as what changes is: judged by `worker.clinicfiles`.
_PARTLY = {"protocols", "wording"}


def _parts_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation is not Week:
            yield annotation
        return
    for inner in get_args(annotation):
        yield from _parts_in(inner)


def _fields(model: type[BaseModel], under: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        key = f"{under}{field.alias or name}"
        if key in _IDLE:
            continue
        yield key, field
        for part in _parts_in(field.annotation):
            yield from _fields(part, f"{key}.")


_FIELDS = dict(_fields(ClinicFile))


def test_every_key_of_a_clinic_file_is_told_of() -> None:
    """Both ways: no key has to be found in the code, and none is told of that is refused."""
    assert {"sender.from", "holidays.open_on", "on_call.weeks.every"} <= set(_FIELDS)
    assert set(_TOLD) == set(_FIELDS)


def test_keys_that_nothing_reads_are_told_of_apart() -> None:
    """Whoever has one in a file learns that it does nothing."""
    assert {key for key in ClinicFile.model_fields if key not in _FIELDS} == _IDLE
    assert all(f"`{key}`" in _PAGE for key in _IDLE)


@pytest.mark.parametrize("key", sorted(_FIELDS))
def test_the_default_told_is_the_codes(key: str) -> None:
    """A needed key is called needed, a plain default is the one that a file without it gets."""
    field, told = _FIELDS[key], _TOLD[key][1]
    # Whether anybody is on call has a default for stored files alone (`schedules.clinic_cover`).
    assert (told == "needed") == (field.is_required() or key == "after_hours")
    default = field.default
    if isinstance(default, bool):
        assert told == f"`{str(default).lower()}`"
    elif isinstance(default, StrEnum | int | float) and key != "after_hours":
        assert told == f"`{default}`"
    elif key.startswith("send_window."):
        assert told == f'`"{default:%H:%M}"`'


@pytest.mark.parametrize("key", sorted(_FIELDS))
def test_safety_content_is_marked(key: str) -> None:
    """Whoever changes a key knows before whether somebody else has to approve it."""
    told, outer = _TOLD[key][-1], key.partition(".")[0]
    if outer in _PARTLY:
        assert told not in ("yes", "no")
    else:
        assert told == ("yes" if outer in CLINIC_SAFETY_FIELDS else "no")
