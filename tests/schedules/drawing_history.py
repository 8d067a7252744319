"""Draws what lies around a visit or enrollment: other visits, closed days, rhythms, a history."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from schedules.facts import AppointmentFacts, ClinicFacts, Dose, PatientFacts, VisitStatus
from schedules.protocol import Again, Anchor, Condition, HistoryKind, Phase

DAY = timedelta(days=1)
#: What takes a repeat up again.
EVENTS = (Anchor.LAST_DOSE, Anchor.LAPSE, Anchor.FIRST_DOSE)
OF_ANYONE = (
    Condition(kind=HistoryKind.OPTED_IN),
    Condition(kind=HistoryKind.NUMBER_UNPROVED),
    Condition(kind=HistoryKind.MISSED_BEFORE),
    Condition(kind=HistoryKind.NO_DOSE_BOOKED),
    Condition(kind=HistoryKind.NO_INTEGRATION_BOOKED),
    Condition(kind=HistoryKind.NO_OTHER_NUMBER),
    Condition(kind=HistoryKind.SUBSTANCE, substances=frozenset({"alcohol", "opioids"})),
)
OF_A_VISIT = (*OF_ANYONE, Condition(kind=HistoryKind.NOT_BOOKED_AGAIN))
ASKS = st.sampled_from(("none", "none", "craving_scale", "scale:0-7", "yes_no"))


@st.composite
def phases(draw) -> tuple[Phase, ...]:
    """A taper: daily, then every few days, or on some weekdays."""
    first = Phase(first_day=draw(st.integers(1, 3)), last_day=draw(st.integers(3, 9)), every_days=1)
    shape = draw(st.sampled_from(("one", "taper", "weekdays")))
    if shape == "one":
        return (first,)
    begins = first.last_day + draw(st.integers(1, 4))
    if shape == "weekdays":
        days = draw(st.frozensets(st.integers(0, 6), min_size=1, max_size=3))
        return first, Phase(first_day=begins, last_day=begins + 9, every_days=1, weekdays=days)
    every = draw(st.integers(2, 4))
    later = Phase(first_day=begins, last_day=begins + 3 * every, every_days=every)
    return first, later


def again() -> st.SearchStrategy[Again | None]:
    """What takes a repeat up once more, mostly nothing."""
    events = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2, unique=True)
    some = st.builds(Again, days=st.integers(1, 4), anchors=events.map(tuple))
    return st.one_of(st.none(), some)


@st.composite
def closed(draw, clinic: ClinicFacts, day: date) -> ClinicFacts:
    """Close the clinic on days near this one, by its own list or as a public holiday."""
    if clinic.staffed is None:
        return clinic
    near = st.integers(-5, 5).map(lambda days: day + days * DAY)
    staffed = replace(
        clinic.staffed,
        extra=draw(st.frozensets(near, max_size=3)),
        country=draw(st.sampled_from((None, "US"))),
        open_on=draw(st.one_of(st.just(frozenset()), st.frozensets(near, max_size=2))),
    )
    lead = draw(st.sampled_from((None, None, timedelta(hours=3))))
    return replace(clinic, staffed=staffed, before_closing=lead)


@st.composite
def other_visits(draw, since: datetime) -> tuple[AppointmentFacts, ...]:
    """A few more visits of the patient, before and after, whatever came of them."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        start = since + timedelta(hours=draw(st.integers(-200, 300)))
        seen = AppointmentFacts(
            id=f"other{number}",
            kind=draw(st.sampled_from(("dosing", "dosing", "integration", "followup"))),
            modality=draw(st.sampled_from((None, "virtual"))),
            starts_at=start,
            ends_at=start + DAY / 12,
            booked_at=start - 30 * DAY,
        )
        happened = (
            {},
            {},
            {
                "status": VisitStatus.CHECKED_OUT,
                "checked_out_at": start + DAY / 12,
                "dose": draw(st.sampled_from((Dose.GIVEN, Dose.PARTIAL, Dose.NOT_GIVEN, None))),
            },
            {"status": VisitStatus.NO_SHOW, "no_show_at": start + DAY / 96},
            {"status": VisitStatus.CANCELLED, "cancelled_at": start - DAY},
        )
        found.append(replace(seen, **draw(st.sampled_from(happened))))
    return tuple(found)


@st.composite
def histories(draw, patient: PatientFacts, day: date) -> PatientFacts:
    """Now and then something about the patient that bears on what they are asked."""
    if draw(st.booleans()):
        return patient
    noon = datetime.combine(day, time(12), UTC)
    once = {
        "lapsed_at": noon + draw(st.integers(-3, 3)) * DAY,
        "substances": frozenset({draw(st.sampled_from(("alcohol", "nicotine")))}),
        "cadences": {
            draw(st.sampled_from(("s0", "drawn/s0"))): draw(st.one_of(st.integers(1, 4), phases()))
        },
        "steps_off": frozenset({draw(st.sampled_from(("s0", "drawn/s1")))}),
        "calls_only": True,
        "number_taken": True,
        "welcome_failed": True,
        "phone_shared": True,
        "in_crisis": True,
        "conversation_since": noon,
    }
    # A lapse and a rhythm of one's own are drawn most: they decide days, not only reasons.
    name = draw(st.sampled_from(("lapsed_at",) * 5 + ("cadences",) * 5 + tuple(sorted(once))))
    return replace(patient, **{name: once[name]})
