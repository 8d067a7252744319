"""Whether patients hear by text that their visit was cancelled; of the others somebody calls them.

Asked before the plan is made, by the planner itself: whoever cancels a day's visits is to know at
once whom nothing tells.
"""

from collections.abc import Collection
from uuid import UUID

from records import appointments, clinics
from records.appointments import Appointment
from records.clinics import is_paused
from worker.gates import ABOUT_A_CANCELLED_VISIT
from worker.logs import get_logger
from worker.preview import PLANNED, preview
from worker.services import Services

log = get_logger(__name__)

#: News goes at the next allowed minute, which is never further away.
_DAYS = 2
_ON_ITS_WAY = frozenset({PLANNED, "submitting", "unknown", "accepted", "sent", "delivered"})


def told_of_cancelling(services: Services, visit_ids: Collection[UUID]) -> set[UUID]:
    """Return of which of these cancelled visits the patients are texted, as things stand.

    Nobody is while the clinic's texts are paused.
    """
    with services.database.transaction() as session:
        visits = appointments.with_ids(session, visit_ids)
        of = {visit.clinic_id for visit in visits.values()}
        rows = [clinics.by_id(session, each) for each in of]
        resting = {
            row.id for row in rows if is_paused(row.paused_at, row.paused_until, services.now)
        }
    return {
        each
        for each, visit in visits.items()
        if visit.clinic_id not in resting and _is_told(services, visit)
    }


def _is_told(services: Services, visit: Appointment) -> bool:
    # As of the cancelling: a worker may have sent its news since.
    since = visit.cancelled_at or services.now
    try:
        texts = preview(services, visit.patient_id, at=since, days=_DAYS).texts
    except Exception:
        # Whose record can't be read has no plan, and gets no text.
        log.exception("cancelling_not_foreseen", appointment_id=str(visit.id))
        return False
    return any(
        text.template == ABOUT_A_CANCELLED_VISIT
        and text.appointment_id == visit.external_id
        and text.status in _ON_ITS_WAY
        for text in texts
    )
