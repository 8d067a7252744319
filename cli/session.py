"""What most commands start from: the settings, the database, the vault, one clinic or patient.

A command publishes no nudge of its own: the tick finds its rows within a second, and a broker that
is away must not keep a coordinator from recording a stop.
"""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from cli.errors import refuse
from messages.templates import shipped
from records import appointments, audit, clinics, patients
from records.base import Database, Session
from records.clinics import Clinic
from records.keys import open_vault
from records.patients import Patient
from worker import logs
from worker.clock import SystemClock
from worker.intake.table import CellError, near
from worker.intake.values import instant_or_day
from worker.services import Services
from worker.settings import Settings, load

#: Who acts, in the audit trail, when somebody with access to this machine does.
ACTOR = "cli"


def named_actor(option: str = "--by") -> str:
    """Return who acts, as this machine knows them; whoever it can't name says so by `option`.

    For what changes the texts of all patients, or what a patient said: the audit trail names them.
    """
    name = os.environ.get("SUDO_USER") or _signed_in()
    if name is None:
        refuse(f"This machine can't say who you are. Say so with {option} EMAIL.")
    return f"{ACTOR}:{name}"


def _signed_in() -> str | None:
    """Return the account's name, None where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


@contextmanager
def services(
    settings: Settings | None = None, *, crashpoint: Callable[[str], None] = lambda _: None
) -> Iterator[Services]:
    """Yield the services of a command, and give the connections back."""
    settings = settings or load()
    logs.configure(settings.log_format)
    url = settings.database_url.get_secret_value()
    database = Database.connect(url, application="cli", pool_size=2)
    try:
        with database.transaction() as session:
            vault = open_vault(session, settings.keys)
        yield Services(
            settings=settings,
            database=database,
            vault=vault,
            clock=SystemClock(settings.clock_offset),
            catalog=shipped(),
            crashpoint=crashpoint,
        )
    finally:
        database.close()


def the_clinic(session: Session, key: str | None) -> Clinic:
    """Return the clinic that is meant: the named one, or the only one."""
    if key is not None:
        found = clinics.by_key(session, key)
        if found is None:
            known = [each.key for each in clinics.all_clinics(session)]
            refuse(f'There is no clinic "{key}"; {near(key, known)}')
        return found
    everyone = clinics.all_clinics(session)
    if not everyone:
        refuse("There is no clinic yet: run `aftercare clinic apply FILE.yaml` first.")
    if len(everyone) > 1:
        keys = ", ".join(each.key for each in everyone)
        refuse(f"There are several clinics ({keys}): say which with --clinic.")
    return everyone[0]


def the_patient(running: Services, external_id: str, clinic: str | None = None) -> Patient:
    """Return the patient with this id of their clinic's own (or with ours)."""
    with running.database.transaction() as session:
        clinic_id = the_clinic(session, clinic).id if clinic else None
        found = patients.find(session, running.vault, external_id, clinic_id)
        if len(found) > 1:
            keys = sorted(clinics.by_id(session, each.clinic_id).key for each in found)
            refuse(f"Several clinics have this patient id ({', '.join(keys)}): add --clinic.")
        if not found:
            refuse("There is no patient with this id. It is the patient_id of patients.csv.")
        return found[0]


def the_visit(running: Services, external_id: str, clinic: str | None = None) -> UUID:
    """Return our id of the visit with this id of the clinic's own."""
    with running.database.transaction() as session:
        clinic_id = the_clinic(session, clinic).id if clinic else None
        found = appointments.find(session, external_id, clinic_id)
        if len(found) > 1:
            keys = sorted(clinics.by_id(session, each.clinic_id).key for each in found)
            refuse(f"Several clinics have this visit id ({', '.join(keys)}): add --clinic.")
        if not found:
            refuse("There is no visit with this id. It is the appointment_id of appointments.csv.")
        return found[0].id


def zone_of_clinic(running: Services, clinic_id: UUID) -> ZoneInfo:
    """Return a clinic's time zone."""
    with running.database.transaction() as session:
        return clinics.by_id(session, clinic_id).file.zone


def looked_at(
    running: Services, session: Session, person: Patient, action: str, **details: object
) -> None:
    """Record that what is kept of a patient is shown; before it is."""
    audit.record(
        session,
        running.vault,
        clinic_id=person.clinic_id,
        now=running.now,
        actor=ACTOR,
        action=action,
        subject=f"patient:{person.id}",
        details=details,
    )


def zone_of_visit(running: Services, appointment_id: UUID) -> ZoneInfo:
    """Return the time zone of a visit's clinic."""
    with running.database.transaction() as session:
        visit = appointments.by_id(session, appointment_id)
        return clinics.by_id(session, visit.clinic_id).file.zone


def chosen_clinics(running: Services, key: str | None, *, everywhere: bool) -> list[Clinic]:
    """Return the clinics that `--clinic` or `--all` names; without either the only one."""
    with running.database.transaction() as session:
        if everywhere and key is not None:
            refuse("Say --clinic or --all, not both.")
        return clinics.all_clinics(session) if everywhere else [the_clinic(session, key)]


def an_instant(text: str | None, zone: ZoneInfo, option: str) -> datetime | None:
    """Read `2026-12-01T09:00`, with an offset or by the clocks of `zone`; a day is its start."""
    if text is None:
        return None
    try:
        return instant_or_day(zone)(text.strip())
    except CellError as error:
        refuse(f"{option}: {error}")


def an_id(text: str, what: str) -> UUID:
    """Read one of our own ids."""
    try:
        return UUID(text)
    except ValueError:
        refuse(f"That is no id of a {what}. Ids look like {UUID(int=0)}.")
