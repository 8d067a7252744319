"""A clinic's file beside what is in force: what differs, what of it moves texts, what is safety.

`worker.steps.clinics` applies a file; whoever asks first what it would do asks here. Reads only.
Wording moves no text: each is rendered when it is claimed, in the words in force then (rule 28).
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import chain
from typing import Any
from uuid import UUID

from messages import wording
from messages.errors import Fault
from messages.lint import lint_name
from messages.templates import Catalog
from records import clinics, enrollments, publishing
from records.base import Session
from records.clinics import Clinic
from schedules.clinic import ClinicFile
from schedules.errors import ProtocolError
from schedules.loader import load, shipped_files
from schedules.protocol import Protocol
from schedules.safety import clinic_safety_changes, safety_changes
from worker import enrolling, protocols, signoff
from worker.effects import Change as PlanChange
from worker.intake import fasts
from worker.intake.table import near
from worker.refusal import RefusedError
from worker.rendering import usual_values, words_of
from worker.services import Services

#: Who published what comes with the product; a version that staff wrote is never replaced by it.
SHIPPED = "shipped"
#: The field of the file that holds texts in the clinic's own words.
WORDING = "wording"
# A change of these changes when, or whether, a text goes.
_PLANNED_BY = (
    "timezone",
    "languages",
    "send_window",
    "staffed_hours",
    "holidays",
    "caps",
    "fasting",
    "after_hours",
    "protocols",
    "gates",
    "substances",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of the file that reads otherwise than before; None: it was not there."""

    field: str
    before: Any
    after: Any


@cache
def shipped_sources() -> Mapping[str, str]:
    """Return the texts of the protocols that come with the product, by id."""
    known = protocols.known_templates()
    files = shipped_files()
    return {load(text, name, templates=known).id: text for name, text in files.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A file beside what is in force.

    What of it is safety content (`safety`) a clinician has to approve, once the clinic has, or
    had, one, or has patients (`enforced`). `change` is what planning would see. `mends`: what is
    in force can't be read, and an earlier version that holds meanwhile was compared; without one
    there is nothing to compare with (`has_before`), and everything counts as changed.
    """

    clinic_id: UUID
    key: str
    changes: tuple[Change, ...]
    published: tuple[tuple[str, int], ...]
    wanted: signoff.Wanted
    enforced: bool
    #: How many unsent texts a change of words reaches, by template.
    reached: Mapping[str, int]
    #: How many patients were told a shorter fast already, and will be called.
    told_shorter: int
    change: PlanChange
    mends: bool
    has_before: bool

    @property
    def seen(self) -> str:
        """What tells apart what it was compared with."""
        return self.wanted.base_settings

    @property
    def safety(self) -> tuple[str, ...]:
        """What of it is safety content, each change named."""
        return self.wanted.safety

    @property
    def may_move_texts(self) -> bool:
        """Whether it changes anything that says when, or whether, a text goes."""
        return bool(self.published) or moves_texts(self.changes)


def compare(services: Services, file: ClinicFile) -> Compared | None:
    """Compare a file with what is in force; None for a new clinic. Writes nothing.

    Raises RefusedError where the file can't be applied at all.
    """
    check_wording(services.catalog, file)
    with services.database.transaction() as session:
        clinic = clinics.by_key(session, file.id)
        if clinic is None:
            return None
        fresh = list(to_publish(session, clinic, file))
        known = protocols.readable(protocols.of_clinic(session, clinic.id))
        for name, number in fresh:
            known[name] = (protocols.parsed(shipped_sources()[name], name), number)
        before = clinic.file_if_any
        changes = changes_between(services.catalog, before, file)
        now = services.now
        late = fasts.told_shorter(session, clinic.id, before, file, now=now) if before else []
        worded = reworded(words_of(services.catalog, file), changes)
        return Compared(
            clinic_id=clinic.id,
            key=clinic.key,
            changes=changes,
            reached=publishing.count_unsent(session, clinic.id, worded),
            told_shorter=len(late),
            published=tuple(fresh),
            wanted=wanted_of(session, services.catalog, clinic, file),
            enforced=publishing.waits_for_clinician(session, clinic.id),
            change=PlanChange(clinic_id=clinic.id, file=file, protocols=known),
            mends=clinic.is_broken,
            has_before=clinic.can_be_read,
        )


def wanted_of(
    session: Session, catalog: Catalog, clinic: Clinic, file: ClinicFile
) -> signoff.Wanted:
    """Return what a clinician would sign: the file, and what the product ships that comes with it.

    It is compared with the settings in force, and holds for no other texts of the product: after
    a new release nobody has read what the same file would bring.
    """
    fresh = list(to_publish(session, clinic, file))
    shipped = {name: checksum(shipped_sources()[name]) for name, _ in fresh}
    return signoff.Wanted(
        subject=publishing.CLINIC_FILE,
        source=json.dumps(file.to_json(), sort_keys=True, ensure_ascii=False),
        safety=_safety_of(session, catalog, clinic, file, fresh),
        base_number=None,
        base_settings=signoff.checksum({"settings": clinic.settings, "shipped": shipped}),
        languages=_languages_of(catalog, clinic.file_if_any, file),
    )


def _languages_of(
    catalog: Catalog, before: ClinicFile | None, after: ClinicFile
) -> tuple[str, ...]:
    """Give the languages in use, and any other in which words of safety change.

    A text in another language is answered in that language (care rule 23).
    """
    in_use, words = (before.languages, before.to_json()["words"]) if before else ((), {})
    reworded = (change.field.split(".")[2] for change in _safety_wording(catalog, before, after))
    listed = differences(words, after.to_json()["words"])
    phrases = (change.field.partition(".")[0] for change in listed)
    return tuple(dict.fromkeys([*in_use, *after.languages, *reworded, *phrases]))


def closed_on(settings: Mapping[str, Any], days: Collection[date]) -> dict[str, Any]:
    """Return a clinic's settings with these days closed, whatever the calendar said of them."""
    named = {day.isoformat() for day in days}
    calendar = dict(settings.get("holidays") or {})
    calendar["extra"] = sorted({*calendar.get("extra", ()), *named})
    calendar["open_on"] = [each for each in calendar.get("open_on", ()) if each not in named]
    return {**settings, "holidays": calendar}


class UnfitWordingError(RefusedError):
    """A clinic's own wording that may not be sent; `faults` has each with its text and language."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep every fault."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


def unfit_names(file: ClinicFile) -> Iterator[str]:
    """Say which names and links of a file no text may carry, and why."""
    named = {"sms_name stands in every text": file.sms_name}
    named |= {f"forms.{form} stands in texts": link for form, link in file.forms.items()}
    for place, name in named.items():
        found = (lint_name(name, language=language) for language in file.languages)
        for finding in dict.fromkeys(chain.from_iterable(found)):
            yield f"{place}, and {finding}"


def check_wording(catalog: Catalog, file: ClinicFile) -> None:
    """Refuse a name that no text could carry, and wording that no patient should get."""
    for fault in unfit_names(file):
        raise RefusedError(fault)
    faults = wording.faults(catalog, file.own_texts(), usual_values(file))
    if faults:
        raise UnfitWordingError(faults)


def changes_between(
    catalog: Catalog, before: ClinicFile | None, after: ClinicFile
) -> tuple[Change, ...]:
    """Return what reads otherwise than before, texts with the words that patients get.

    Without a file of before that is everything.
    """
    old, new = before.to_json() if before else {}, after.to_json()
    old.pop("wording", None), new.pop("wording")
    return (*differences(old, new), *_reworded(catalog, before, after))


#: What of a file stands in texts, and the values by which they name it.
_NAMED_IN_TEXTS = {
    "sms_name": frozenset({"sms_name"}),
    "phone": frozenset({"phone"}),
    "fasting": frozenset({"food", "liq"}),
}


def reworded(catalog: Catalog, changes: Sequence[Change]) -> list[str]:
    """Name the templates that read otherwise: by their own words, or by what these name."""
    places = [change.field.split(".") for change in changes]
    values = {name for place in places for name in _NAMED_IN_TEXTS.get(place[0], ())}
    own = [place[1] for place in places if place[0] == WORDING]
    naming = [key for key in catalog.templates if values & catalog.variables(key)]
    return list(dict.fromkeys([*own, *naming]))


def _reworded(catalog: Catalog, before: ClinicFile | None, after: ClinicFile) -> Iterator[Change]:
    """Give each text whose own words differ, with what patients get: without any, the shipped."""
    old, new = _own(before) if before else {}, _own(after)
    said = words_of(catalog, before) if before else catalog
    will_say = words_of(catalog, after)
    for key, language in dict.fromkeys([*old, *new]):
        if old.get((key, language)) != new.get((key, language)) and key in catalog.templates:
            yield Change(
                field=f"{WORDING}.{key}.{language}",
                before=said.wording(key, language).text,
                after=will_say.wording(key, language).text,
            )


def _safety_wording(
    catalog: Catalog, before: ClinicFile | None, after: ClinicFile
) -> Iterator[Change]:
    for change in _reworded(catalog, before, after):
        key = change.field.split(".")[1]
        if change.before != change.after and wording.is_safety(catalog, key):
            yield change


def _own(file: ClinicFile) -> dict[tuple[str, str], str]:
    return {(key, one): text for key, by in file.wording.items() for one, text in by.items()}


def one_sided(file: ClinicFile) -> list[str]:
    """Say which texts are worded anew in one of the clinic's languages and not in another."""
    return [
        f"{key} has words of the clinic's in {', '.join(sorted(texts))}, and the shipped ones in "
        f"{language}"
        for key, texts in file.wording.items()
        for language in file.languages
        if language not in texts
    ]


def differences(before: Any, after: Any, path: str = "") -> list[Change]:
    """Return what differs between two trees, by dotted path; lists are compared as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in dict.fromkeys([*before, *after]):
            place = f"{path}.{key}" if path else str(key)
            found += differences(before.get(key), after.get(key), place)
        return found
    return [] if before == after else [Change(field=path, before=before, after=after)]


def moves_texts(changes: Sequence[Change]) -> bool:
    return any(change.field.split(".")[0] in _PLANNED_BY for change in changes)


def _safety_of(
    session: Session,
    catalog: Catalog,
    clinic: Clinic,
    file: ClinicFile,
    fresh: Sequence[tuple[str, int]],
) -> tuple[str, ...]:
    """Name what of a file, and of the shipped protocols that come with it, is safety content."""
    before = clinic.file_if_any
    found = list(clinic_safety_changes(before.to_json() if before else {}, file.to_json()))
    for change in _safety_wording(catalog, before, file):
        _, key, language = change.field.split(".")
        found.append(f'wording of {key} ({language}): "{change.before}" -> "{change.after}"')
    published = protocols.readable(protocols.of_clinic(session, clinic.id))
    known = {name: each for name, (each, _) in published.items()}
    ours = {name: protocols.parsed(shipped_sources()[name], name) for name, _ in fresh}
    was = _running(before, known) if before else {}
    will = _running(file, {**known, **ours})
    for name in sorted({*was, *will}):
        how = "" if name in was and name in will else f" switched {'on' if name in will else 'off'}"
        changes = safety_changes(was.get(name), will.get(name))
        found += [f"{name}{how}, {each}" for each in changes]
    return tuple(found)


def _running(file: ClinicFile, known: Mapping[str, Protocol]) -> dict[str, Protocol]:
    """Return the protocols that a file switches on and whose gate, if any, it opens."""
    return {
        name: known[name]
        for name in enrolling.switched_on(file)
        if name in known and enrolling.is_open(file, known[name])
    }


def to_publish(session: Session, clinic: Clinic, file: ClinicFile) -> Iterator[tuple[str, int]]:
    """Give what the file names and the product ships, where its text is not the newest."""
    current = enrollments.current_protocols(session, clinic.id)
    ours = shipped_sources()
    for name in enrolling.switched_on(file):
        newest = current.get(name)
        if name not in ours and newest is None:
            raise RefusedError(f'There is no protocol "{name}"; {near(name, list(ours))}')
        if newest is not None and (name not in ours or newest.published_by != SHIPPED):
            _refuse_shut_gate(file, newest.source, name)
            continue
        _refuse_shut_gate(file, ours[name], name)
        if newest is None or newest.checksum != checksum(ours[name]):
            yield name, newest.number + 1 if newest else 1


def _refuse_shut_gate(file: ClinicFile, source: str, name: str) -> None:
    # One that can't be read texts nobody: its gate is asked for with the version that mends it.
    with suppress(ProtocolError):
        protocol = protocols.followed(source, name)
        if not enrolling.is_open(file, protocol):
            raise RefusedError(enrolling.gate_shut(protocol))


def checksum(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A clinic's file as a version had it, and the days that it leaves closed all the same."""

    number: int
    file: ClinicFile
    still_closed: tuple[date, ...]


def earlier(services: Services, clinic_id: UUID, to: int | None) -> Earlier:
    """Return the file of a clinic to go back to: of the version named, or of the one before.

    Where those in force can't be read, the one before is the newest that can. Days ahead that are
    closed now stay closed, since their visits are cancelled. Raises RefusedError.
    """
    with services.database.transaction() as session:
        clinic = clinics.by_id(session, clinic_id)
        kept = clinics.versions(session, clinic_id)
    broken = clinic.is_broken
    before = [each for each in kept if broken or each.number < clinic.version]
    if to is not None:
        before = [each for each in kept if each.number == to]
    readable = [(each, file) for each in before if (file := clinics.read(each.settings))]
    if not readable:
        listed = ", ".join(str(each.number) for each in kept)
        which = "no such version to go back to" if not before else "none that can be read"
        raise RefusedError(f"There is {which}. Kept are {listed}.")
    row, file = readable[-1]
    ahead = _closed_ahead(clinic.file_if_any, services.now)
    return Earlier(
        number=row.number,
        file=ClinicFile.from_json(closed_on(row.settings, ahead)),
        still_closed=tuple(sorted(ahead - set(file.holidays.extra))),
    )


def _closed_ahead(file: ClinicFile | None, now: datetime) -> set[date]:
    """Return the days, today and on, that a clinic's own calendar has closed."""
    if file is None:
        return set()
    today = now.astimezone(file.zone).date()
    return {day for day in file.holidays.extra if day >= today}
