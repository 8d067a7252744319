"""Coming visits matched with what a clinic has switched on, after a version or a file came in.

Whoever puts one into force asks for it in that very transaction, and the mark goes once every visit
was looked at. Whoever is killed in between leaves it to the workers, who look once a minute.
"""

from collections import Counter
from uuid import UUID

from records import clinics, intake, progress
from records.base import Session
from worker import enrolling, protocols
from worker.logs import get_logger
from worker.services import Services

log = get_logger(__name__)

_MARK = "match:"
_CHUNK = 1000
#: Who books visits takes this turn too, so that no visit is matched by two at once.
_TURN = "appointments"


def ask(session: Session, clinic_id: UUID) -> None:
    """Have a clinic's coming visits matched anew; `match` does it now, else a worker does."""
    progress.mark(session, f"{_MARK}{clinic_id}")


def run(services: Services) -> Counter[str]:
    """Match the visits of every clinic for which that was asked and not brought to its end."""
    counts: Counter[str] = Counter()
    with services.database.transaction() as session:
        waiting = progress.named(session, _MARK)
    for name in waiting:
        clinic_id = UUID(name.removeprefix(_MARK))
        try:
            counts += match(services, clinic_id)
        except Exception:
            # It still stands asked for, and one clinic's trouble keeps no other's visits waiting.
            log.exception("visits_not_matched", clinic_id=str(clinic_id))
            counts["failed"] += 1
    return counts


def match(services: Services, clinic_id: UUID) -> Counter[str]:
    """Enroll coming visits in what is switched on for them, end what is not.

    Run twice it changes nothing. All of them are looked at, also after a version for the same
    visits as the last: nothing says that those were enrolled. Returns how many enrollments `began`
    and `ended`.
    """
    counts: Counter[str] = Counter()
    now, mark = services.now, f"{_MARK}{clinic_id}"
    with services.database.transaction() as session:
        asked = progress.last(session, mark)
        # An import that read the versions of before has committed by then, and is among these.
        intake.take_turn(session, _TURN)
        coming = [each.id for each in intake.visits_from(session, since=now, clinic_id=clinic_id)]
    for start in range(0, len(coming), _CHUNK):
        with services.database.transaction() as session:
            intake.take_turn(session, _TURN)
            file = clinics.by_id(session, clinic_id).file
            published = protocols.of_clinic(session, clinic_id)
            visits = intake.visits_by_id(session, coming[start : start + _CHUNK])
            counts += enrolling.sync(session, clinic_id, file, published, visits, now=now)
    with services.database.transaction() as session:
        # Asked for again meanwhile, some of them were matched with what is no longer in force.
        progress.forget(session, mark, since=asked)
    return counts
