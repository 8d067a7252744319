"""Somebody imagined for `aftercare preview --sample`: at a clinic on record, or in a file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cli.errors import refuse
from cli.session import an_instant, services, the_clinic
from messages.templates import Catalog, shipped
from schedules.clinic import ClinicFile, read_clinic
from schedules.clinic_fields import is_zone, zone_meant
from schedules.loader import SETTINGS, VISIT_KINDS, load
from schedules.moments import local_instant
from schedules.protocol import Protocol
from schedules.terms import Terms
from worker.clinicfiles import shipped_sources
from worker.enrolling import switched_on
from worker.intake.table import CellError, near
from worker.intake.values import clock as read_clock
from worker.preview import ImaginedVisit, Sample
from worker.protocols import known_templates, of_clinic

#: A visit that nobody named: far enough ahead that all its texts lie in the days shown.
_DAYS_AHEAD, _AT = 10, time(10)
_ENDINGS = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody imagined is treated, and the protocols that can be tried there."""

    file: ClinicFile
    protocols: Mapping[str, Protocol]
    now: datetime
    catalog: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the options say of the person, as they were typed."""

    protocols: Sequence[str]
    visits: Sequence[str]
    language: str | None
    timezone: str | None
    check_in_time: str | None
    quit_date: str | None
    substances: Sequence[str]


@contextmanager
def at_place(named: str | None) -> Iterator[Place]:
    """Yield a clinic by its id, or out of a file, which needs neither settings nor a database."""
    if named is not None and Path(named).suffix in _ENDINGS:
        file = read_clinic(read_text(Path(named)), named, sandbox=True)
        known = {name: load(text, name) for name, text in shipped_sources().items()}
        yield Place(file=file, protocols=known, now=datetime.now(UTC), catalog=shipped())
        return
    with services() as running:
        with running.database.transaction() as session:
            clinic = the_clinic(session, named)
            known = {name: load(text, name) for name, text in shipped_sources().items()}
            known |= {name: each[0] for name, each in of_clinic(session, clinic.id).items()}
        yield Place(file=clinic.file, protocols=known, now=running.now, catalog=running.catalog)


def sample_of(place: Place, wishes: Wishes, at: datetime) -> Sample:
    """Return the person that the options describe; ends the command over what can't be."""
    zone = _zone(wishes.timezone) or place.file.zone
    names = wishes.protocols or [
        name for name in switched_on(place.file) if name in place.protocols
    ]
    terms = place.file.terms
    protocols = [protocol_named(name, place.protocols, terms) for name in names]
    visits = [_visit(text, place.file.zone, terms) for text in wishes.visits]
    language = wishes.language or place.file.languages[0]
    if language not in place.file.languages:
        refuse(f"--language: the clinic's are {', '.join(place.file.languages)}.")
    unknown = set(wishes.substances) - set(terms.substance_names)
    if unknown:
        refuse(f"--substance: {near(min(unknown), sorted(terms.substance_names))}")
    return Sample(
        language=language,
        zone=zone,
        protocols=protocols,
        visits=visits or list(_usual_visits(protocols, place.file, at)),
        check_in_time=_clock(wishes.check_in_time),
        quit_date=an_instant(wishes.quit_date, zone, "--quit-date"),
        substances=frozenset(wishes.substances),
    )


def protocol_named(named: str, known: Mapping[str, Protocol], terms: Terms) -> Protocol:
    """Return a protocol from a file, or one that is published or shipped.

    A file may name the routes and substances of `terms`, which are the clinic's.
    """
    file = Path(named)
    if file.suffix in _ENDINGS or file.exists():
        return load(read_text(file), named, templates=known_templates(), terms=terms)
    if named not in known:
        refuse(f'There is no protocol "{named}"; {near(named, sorted(known))}')
    return known[named]


def read_text(file: Path) -> str:
    """Return a file's text, or end the command saying why it can't be read."""
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        refuse(f"{file} can't be read: {reason}.")


def _visit(text: str, zone: ZoneInfo, terms: Terms) -> ImaginedVisit:
    """Read `KIND@WHEN`, `KIND/ROUTE@WHEN` or `KIND/ROUTE/SETTING@WHEN`."""
    what, separator, when = text.partition("@")
    kind, *rest = what.split("/")
    starts_at = an_instant(when or None, zone, "--visit")
    if not separator or kind not in VISIT_KINDS or len(rest) > 2 or starts_at is None:
        refuse(
            f"--visit {text}: write KIND@WHEN or KIND/ROUTE@WHEN, such as "
            f"dosing/{terms.route_names[0]}@2026-12-10T09:00. "
            f"Kinds are {', '.join(VISIT_KINDS)}."
        )
    route, setting = [*rest, None, None][:2]
    if route is not None and route not in terms.route_names:
        refuse(f"--visit {text}: {near(route, sorted(terms.route_names))}")
    if setting is not None and setting not in SETTINGS:
        refuse(f"--visit {text}: a setting is one of {', '.join(SETTINGS)}.")
    return ImaginedVisit(kind=kind, route=route, setting=setting, starts_at=starts_at)


def _usual_visits(
    protocols: Sequence[Protocol], file: ClinicFile, at: datetime
) -> Iterator[ImaginedVisit]:
    """Give one visit for each kind that the protocols are for, in the course of a treatment."""
    found: dict[tuple[int, str], str | None] = {}
    for protocol in protocols:
        filter_ = protocol.visits
        if filter_ is None:
            continue
        place = "" if "clinic" in (filter_.settings or SETTINGS) else "home"
        for kind in filter_.kinds:
            route = min(filter_.routes, default=None) if kind == "dosing" else None
            stage = (VISIT_KINDS.index(kind), place)
            found[stage] = found.get(stage) or route
    day = at.astimezone(file.zone).date() + timedelta(days=_DAYS_AHEAD)
    for (kind_at, place), route in sorted(found.items(), key=lambda one: one[0]):
        while not file.staffed().is_staffed_day(day):
            day += timedelta(days=1)
        yield ImaginedVisit(
            kind=VISIT_KINDS[kind_at],
            route=route,
            setting=place or None,
            starts_at=local_instant(day, _AT, file.zone),
        )
        day += timedelta(days=2)


def _zone(text: str | None) -> ZoneInfo | None:
    if not text:
        return None
    if not is_zone(text):
        refuse(f"--timezone {text} is no place in the IANA time zone list. {zone_meant(text)}.")
    return ZoneInfo(text)


def _clock(text: str | None) -> time | None:
    try:
        return read_clock(text) if text else None
    except CellError as error:
        refuse(f"--check-in-time: {error}")
