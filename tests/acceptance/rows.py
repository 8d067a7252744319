"""Clinics, patients and due texts put straight into an installation's database.

For tests of what befalls processes: reading files through commands would cost seconds each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert

from records.base import Database
from records.keys import open_vault
from records.patients import Patient
from tests.acceptance.house import Installation, phone_of
from tests.support.world import NUMBER, make_clinic, make_due, make_visits, patient_row

_USEFUL = timedelta(hours=6)


class Rows:
    """One clinic in an installation's database."""

    def __init__(
        self, house: Installation, *, key: str = "oak", number: str = NUMBER, rate: float = 1000
    ) -> None:
        self._house = house
        self._key = key
        self._made = 0
        self.number = number
        self._database = Database.connect(house.settings["DATABASE_URL"], application="desk")
        with self._database.transaction() as session:
            keys = tuple(house.settings["AFTERCARE_ENCRYPTION_KEYS"].split(","))
            self.vault = open_vault(session, keys)
            self.clinic_id, self.sender_id = make_clinic(session, key=key, number=number, rate=rate)

    def close(self) -> None:
        self._database.close()

    def due(self, count: int, *, times: int = 1, first: int | None = None) -> list[str]:
        """Have each of `count` new patients get `times` texts now; return their numbers."""
        now = self._house.now
        first = self._made if first is None else first
        phones = [phone_of(number) for number in range(first, first + count)]
        people = [
            patient_row(self.vault, self.clinic_id, first + number, phone=phone)
            for number, phone in enumerate(phones)
        ]
        ids: list[UUID] = [row["id"] for row in people]
        starts_at = now + timedelta(days=7)
        with self._database.transaction() as session:
            session.execute(insert(Patient), people)
            visits = make_visits(
                session,
                self.vault,
                *(self.clinic_id, ids, starts_at),
                label=f"{self._key}-{first}-",
            )
            for turn in range(times):
                # Notices do not count towards the caps. Each round comes after the one before it.
                values = {"priority": 10, "step": f"step-{turn}"} if times > 1 else {}
                due_at = now - timedelta(seconds=times - turn) / 10
                make_due(
                    session,
                    *(self.clinic_id, self.sender_id, ids, visits),
                    due_at=due_at,
                    starts_at=starts_at,
                    latest_at=now + _USEFUL,
                    **values,
                )
        self._made = max(self._made, first + count)
        return phones


@contextmanager
def rows(house: Installation, **clinic: object) -> Iterator[Rows]:
    """Yield a clinic's rows; the connection ends with the block."""
    made = Rows(house, **clinic)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()
