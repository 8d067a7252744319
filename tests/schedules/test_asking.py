"""Care rule 8: no two questions for a number are open at once, over all that a patient follows."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from schedules.asking import ENOUGH
from schedules.facts import (
    AskedFacts,
    Caps,
    ClinicFacts,
    Dose,
    PatientFacts,
    SentText,
    VisitStatus,
)
from schedules.gates import NOT_NUMBERS
from schedules.loader import shipped
from schedules.planner import plan_patient
from schedules.protocol import Anchor, Importance, Moment
from schedules.reasons import MoveReason, SkipReason
from schedules.windows import SendWindow
from tests.schedules.drawing import CLOCKS, ZONES
from tests.schedules.drawing import days as days_near_a_change
from tests.schedules.planning import NEW_YORK, clinic, enrolled, local, patient, visit, wall

EVERY_QUESTION = tuple(
    name
    for name, protocol in shipped().items()
    if any(step.expects not in NOT_NUMBERS for step in protocol.steps)
)
BY_HAND = tuple(name for name in EVERY_QUESTION if shipped()[name].visits is None)
DOSE = "2026-12-08 08:00"


def asks(text):
    return text.expects not in NOT_NUMBERS and text.skip_reason is None


def key(text):
    return text.enrollment_id, text.nudge_for or text.step, text.occurrence


def open_spans(texts, now, sent=()):
    """Give, of each question, from its sending to the end of its answers, its nudges included."""
    spans = {}
    went = {(one.enrollment_id, one.step, one.occurrence) for one in sent}
    for one in sent:
        if one.open_until is not None:
            mine = one.enrollment_id, one.question or one.step, one.occurrence
            spans.setdefault(mine, []).append((one.at, one.open_until))
    for text in texts:
        if asks(text) and (text.enrollment_id, text.step, text.occurrence) not in went:
            spans.setdefault(key(text), []).append((max(text.due_at, now), text.answer_until))
    return {
        mine: (min(start for start, _ in each), max(end for _, end in each))
        for mine, each in spans.items()
    }


def at_once(spans):
    """Give the first two questions that are open at the same instant, None where none are."""
    ordered = sorted(spans.items(), key=lambda one: one[1])
    for at, (mine, (_, until)) in enumerate(ordered):
        for other, (start, _) in ordered[at + 1 :]:
            if start < until:
                return mine, other
    return None


def dosed(starts, name="v1", **changes):
    """A visit that took place, with its dose."""
    seen = visit(starts, id=name)
    return replace(
        seen,
        status=VisitStatus.CHECKED_OUT,
        checked_out_at=seen.ends_at,
        dose=Dose.GIVEN,
        setting="clinic",
        **changes,
    )


# --- stories --------------------------------------------------------------------------------------

MONDAY = date(2026, 12, 7)


def week(own_hour=None, *, protocol="daily-check-in", doses=(DOSE,), day=MONDAY, now=None, **more):
    """Plan a patient who is asked daily and was dosed on Tuesday."""
    visits = [dosed(local(each), f"v{at}") for at, each in enumerate(doses)]
    facts = [
        enrolled("after-dose", each, id=f"dose-{at}") for at, each in enumerate(visits, start=1)
    ]
    facts.append(enrolled(protocol, day=day, id="daily"))
    person = patient(check_in_time=own_hour, **more.pop("person", {}))
    place = clinic(**more.pop("place", {}))
    return plan_patient(
        facts, person, place, now=now or local("2026-12-07 08:00"), appointments=visits, **more
    )


def on(texts, day, *steps):
    """Give step -> minute, or reason, of that day."""
    found = {}
    for text in texts:
        if wall(text)[:6] == day and (not steps or text.step in steps):
            found[text.step] = wall(text)[7:] if text.skip_reason is None else text.skip_reason
    return found


@pytest.mark.parametrize("own_hour", [time(9, 30), time(11)])
def test_the_morning_after_a_dose_asks_alone(own_hour):
    """A check-in at the patient's own hour gives way to the check that looks after them."""
    texts = week(own_hour)
    assert on(texts, "Wed 09") == {"after_morning": "09:30", "daily_0_10": SkipReason.OTHER_NUMBER}
    assert on(texts, "Thu 10")["daily_0_10"] == f"{own_hour:%H:%M}"


def test_a_check_in_after_the_morning_check_waits_for_its_end():
    """Asked at 14:00 by rights, it goes when the morning's answers end, with all of its window."""
    texts = week(time(14))
    assert on(texts, "Wed 09") == {"after_morning": "09:30", "daily_0_10": "16:30"}
    [moved] = [text for text in texts if text.moved_reason is MoveReason.AFTER_OTHER]
    # Twenty hours, as at any other minute.
    assert moved.answer_until == local("2026-12-10 12:30")
    assert not moved.ended_early


def test_a_check_in_of_the_evening_is_untouched():
    """At 17:00 the morning's answers are over: the default hour changes nothing."""
    texts = week()
    assert on(texts, "Wed 09") == {"after_morning": "09:30", "daily_0_10": "17:00"}
    assert not any(text.ended_early for text in texts)


def test_a_question_asked_before_a_dose_ends_when_the_evening_asks():
    """Asked at 19:00 the day before with a window of 24 hours; the evening check comes at 17:00."""
    shipped_one = shipped()["daily-check-in"]
    [step] = shipped_one.steps
    whole_day = replace(step, answer_until=Moment(anchor=Anchor.SENDING, minutes=24 * 60))
    texts = week(time(19), protocol=replace(shipped_one, steps=(whole_day,)))
    [before] = [t for t in texts if t.step == "daily_0_10" and wall(t) == "Mon 07 19:00"]
    [evening] = [t for t in texts if t.step == "after_evening"]
    assert (before.answer_until, before.ended_early) == (evening.due_at, True)
    assert evening.answer_until == local("2026-12-09 09:00")


def test_days_off_plan_ends_when_the_next_day_s_number_is_asked():
    """Its window of 44 hours reaches over the next daily question, which a lapse has taken up."""
    protocol = "relapse-prevention"
    lapse = local("2026-12-06 12:00")
    texts = week(protocol=protocol, doses=(), day=date(2026, 11, 17), person={"lapsed_at": lapse})
    weekly, *_ = [text for text in texts if text.step == "days_off_plan" and asks(text)]
    daily = [text for text in texts if text.step == "daily" and asks(text)]
    after = min(text.due_at for text in daily if text.due_at > weekly.due_at)
    assert (weekly.answer_until, weekly.ended_early) == (after, True)
    assert after - weekly.due_at == timedelta(days=1)


def test_of_two_daily_numbers_the_one_that_may_need_a_person_soonest_is_asked():
    """Craving, where 10 pages, goes before a count that staff read in their digest."""
    day = date(2026, 12, 1)
    facts = [
        enrolled("relapse-prevention-opioids", day=day, id="craving"),
        enrolled("relapse-prevention-nicotine", day=day, id="count"),
    ]
    texts = plan_patient(facts, patient(quit_date=day), clinic(), now=local("2026-12-07 08:00"))
    assert on(texts, "Tue 08") == {"daily": "17:00", "count_after": SkipReason.OTHER_NUMBER}


def test_a_nudge_never_repeats_a_question_that_has_ended():
    """The daily question of 16:00 is repeated at 18:00, but not after another number was asked."""
    now = local("2026-12-08 16:10")
    asked_at = local("2026-12-08 16:00")
    sent = [
        SentText(
            enrollment_id="daily",
            step="daily_0_10",
            occurrence="day-2",
            anchor_at=datetime(2026, 12, 8, tzinfo=UTC),
            at=asked_at,
            open_until=asked_at + timedelta(hours=24),
        )
    ]
    events = [
        AskedFacts(
            enrollment_id="daily",
            step="daily_0_10",
            occurrence="day-2",
            round=1,
            asked_at=asked_at,
            until=asked_at + timedelta(hours=24),
        )
    ]
    # Dosed at noon: the evening is asked about half an hour after the reminder.
    texts = week(
        time(16),
        doses=("2026-12-08 12:30",),
        now=now,
        sent=sent,
        events=events,
        place={"caps": Caps(per_day=3)},
    )
    [nudge] = [text for text in texts if text.nudge_for]
    evening = next(text for text in texts if text.step == "after_evening" and asks(text))
    assert nudge.skip_reason is None
    assert nudge.due_at < evening.due_at
    assert nudge.answer_until == nudge.latest_at == evening.due_at


def test_two_doses_of_a_day_are_followed_by_one_question():
    """The check after the last of them stands for both; the morning after, too."""
    texts = week(doses=("2026-12-08 08:00", "2026-12-08 10:30"))
    checks = [text for text in texts if text.importance is Importance.AFTER_DOSE]
    assert {(t.enrollment_id, t.step, t.skip_reason) for t in checks} == {
        ("dose-1", "after_evening", SkipReason.SAME_DAY),
        ("dose-1", "after_morning", SkipReason.SAME_DAY),
        ("dose-2", "after_evening", None),
        ("dose-2", "after_morning", None),
    }


def test_an_answer_lets_the_next_question_go_at_its_own_minute():
    """Once the morning's check is answered nothing is open, and the check-in of 11:00 is asked."""
    now = local("2026-12-09 10:15")
    [morning] = [text for text in week(time(11)) if text.step == "after_morning"]
    went = SentText(
        enrollment_id=morning.enrollment_id,
        step=morning.step,
        occurrence=morning.occurrence,
        anchor_at=morning.anchor_at,
        at=morning.due_at,
        open_until=morning.answer_until,
        priority=morning.priority,
    )
    still = week(time(11), now=now, sent=[went])
    assert on(still, "Wed 09")["daily_0_10"] is SkipReason.OTHER_NUMBER
    answered = week(time(11), now=now, sent=[replace(went, open_until=None)])
    assert on(answered, "Wed 09")["daily_0_10"] == "11:00"


def test_what_gives_way_leaves_its_place_of_the_day_to_another_text():
    """The cap is shared out again: an unbooked follow-up goes where the check-in could not."""
    seen = dosed(local(DOSE))
    facts = [
        enrolled("after-dose", seen, id="dose"),
        enrolled("integration-unbooked", seen, id="unbooked"),
        enrolled("daily-check-in", day=MONDAY, id="daily"),
    ]
    person = patient(check_in_time=time(11))
    texts = plan_patient(
        facts, person, clinic(caps=Caps(per_day=2)), now=local("2026-12-08 20:00"),
        appointments=[seen],
    )  # fmt: skip
    assert on(texts, "Wed 09") == {
        "after_morning": "09:30",
        "daily_0_10": SkipReason.OTHER_NUMBER,
        "unbooked_20h": "09:00",
    }


def test_a_number_asked_that_day_counts_also_when_its_time_is_over():
    """Asked at ten, useful until one: at two nobody may think that the day is free."""
    shipped_one = shipped()["relapse-prevention"]
    steps = [
        replace(step, when=replace(step.when, clock=time(10), own_hour=False))
        if step.id == "days_off_plan"
        else step
        for step in shipped_one.steps
    ]
    protocol = replace(shipped_one, steps=tuple(steps))
    day = date(2026, 11, 17)
    facts = [enrolled(protocol, day=day, id="daily")]
    person = patient(lapsed_at=local("2026-12-06 12:00"))
    for now in ("2026-12-07 08:00", "2026-12-07 14:00"):
        texts = plan_patient(facts, person, clinic(), now=local(now))
        assert on(texts, "Mon 07")["daily"] is SkipReason.OTHER_NUMBER


def test_what_a_visit_makes_needless_is_not_told_as_silence():
    """Confirmed, and two earlier questions missed: nobody is called for a text nobody needs."""
    shipped_one = shipped()["dosing-visit"]
    steps = [replace(step, pause_after=2) for step in shipped_one.steps]
    coming = visit(local("2026-12-17 10:00"), booked_at=local("2026-12-01 10:00"))
    coming = replace(coming, confirmed_start=coming.starts_at)
    protocol = replace(shipped_one, steps=tuple(steps))
    missed = {"visit_7d": 2, "visit_48h": 2}
    facts = [enrolled(protocol, coming, misses=missed)]
    texts = plan_patient(facts, patient(), clinic(), now=local("2026-12-07 08:00"))
    reasons = {text.step: text.skip_reason for text in texts}
    assert reasons["visit_7d"] is SkipReason.CONFIRMED
    assert reasons["visit_48h"] is SkipReason.SILENT


# --- everything together --------------------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """What a drawn patient follows, and the doses that will be given."""

    facts: list
    person: PatientFacts
    place: ClinicFacts
    now: datetime
    visits: list

    def planned(self, now, *, sent=()):
        """Plan as things stand then: a dose is known from its check-out on."""
        seen = {each.id: _as_known(each, now) for each in self.visits}
        facts = [
            replace(each, appointment=seen[each.appointment.id]) if each.appointment else each
            for each in self.facts
        ]
        events = [
            AskedFacts(
                enrollment_id=one.enrollment_id,
                step=one.step,
                occurrence=one.occurrence,
                round=1,
                asked_at=one.at,
                until=one.open_until or one.at,
                answered=one.open_until is None,
            )
            for one in sent
            if one.question is None
        ]
        return plan_patient(
            facts, self.person, self.place, now=now, appointments=list(seen.values()),
            events=events, sent=list(sent),
        )  # fmt: skip


def _as_known(seen, now):
    if seen.checked_out_at <= now:
        return seen
    return replace(seen, status=VisitStatus.BOOKED, checked_out_at=None, dose=None)


@st.composite
def lives(draw):
    """A patient on any of the shipped protocols, with doses, hours and rhythms of any kind."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(days_near_a_change(zone))
    now = datetime.combine(day, draw(st.sampled_from(CLOCKS)), zone).astimezone(UTC)
    names = draw(st.lists(st.sampled_from(BY_HAND), min_size=1, max_size=3, unique=True))
    facts = [
        enrolled(
            name,
            day=day - timedelta(days=draw(st.integers(0, 60))),
            id=name,
            enrolled_at=now - timedelta(days=61),
        )
        for name in names
    ]
    visits = []
    for number in range(draw(st.integers(0, 3))):
        start = now + timedelta(hours=draw(st.integers(-40, 150)))
        known = now - timedelta(days=20)
        setting = draw(st.sampled_from(("clinic", "clinic", "home")))
        seen = dosed(start, f"v{number}", booked_at=known, route="lozenge")
        visits.append(replace(seen, setting=setting))
    for seen in visits:
        name = "after-dose" if seen.setting == "clinic" else "dosing-at-home"
        facts.append(enrolled(name, seen, id=f"{name}-{seen.id}"))
    opens = draw(st.integers(7, 16))
    person = patient(
        zone,
        check_in_time=draw(st.one_of(st.none(), st.sampled_from(CLOCKS))),
        quit_date=day + timedelta(days=draw(st.integers(-20, 20))),
        lapsed_at=draw(st.one_of(st.none(), st.just(now - timedelta(hours=30)))),
        cadences=draw(
            st.dictionaries(st.sampled_from(("daily", "days_off_plan")), st.integers(1, 3))
        ),
        window=draw(
            st.one_of(
                st.none(),
                st.just(SendWindow(opens=time(opens), closes=time(opens + 4))),
            )
        ),
    )
    caps = Caps(per_day=draw(st.sampled_from((None, 2, 2, 3))))
    place = clinic(draw(st.sampled_from((zone, NEW_YORK))), caps=caps)
    return Life(facts, person, place, now, visits)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(life=lives())
def test_no_two_questions_for_a_number_are_ever_open_at_once(life):
    """All shipped protocols together, from each planned sending to the end of its answers.

    No check after a dose is skipped for it, unless the same words go for another dose of that day;
    and no other question ends before there was time to answer it.
    """
    now, zone = life.now, life.person.zone
    texts = life.planned(now)
    for text in texts:
        note(f"{key(text)} {text.due_at} {text.answer_until} {text.skip_reason}")
    assert at_once(open_spans(texts, now)) is None
    for text in texts:
        if text.importance is Importance.AFTER_DOSE:
            assert text.skip_reason is not SkipReason.OTHER_NUMBER
            spoken_for = text.skip_reason is SkipReason.SAME_DAY
            assert not spoken_for or _goes_for_another_dose(text, texts, zone)
        elif asks(text) and text.ended_early:
            assert text.answer_until - max(text.due_at, now) >= ENOUGH


def _goes_for_another_dose(text, texts, zone):
    return any(
        other.template == text.template
        and other.due_at >= text.due_at
        and other.due_at.astimezone(zone).date() == text.due_at.astimezone(zone).date()
        and other.skip_reason in {None, SkipReason.CAP}
        for other in texts
        if other.enrollment_id != text.enrollment_id
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(life=lives(), answers=st.lists(st.booleans(), min_size=1, max_size=5))
def test_as_days_go_by_no_two_questions_are_open_at_once(life, answers):
    """Planned anew before each text, as doses are recorded and questions answered, or repeated.

    Two are open only where a dose became known after a question had gone: its check is asked in any
    case. What has been open long enough then ends, as the claim sees to.
    """
    sent, now = {}, life.now
    for number in range(60):
        texts = life.planned(now, sent=sent.values())
        coming = [
            text
            for text in texts
            if text.skip_reason is None and (*key(text), text.step) not in sent
        ]
        upcoming = [each.checked_out_at for each in life.visits if each.checked_out_at > now]
        if not coming or min(text.due_at for text in coming) > life.now + timedelta(days=7):
            break
        text = min(coming, key=lambda one: (max(one.due_at, now), one.priority))
        if upcoming and min(upcoming) <= text.due_at:
            now = min(upcoming)
            continue
        now = max(text.due_at, now)
        if asks(text):
            _asked_beside(text, sent, now)
        answered = answers[number % len(answers)]
        waits = asks(text) and not answered
        sent[(*key(text), text.step)] = SentText(
            enrollment_id=text.enrollment_id,
            step=text.step,
            occurrence=text.occurrence,
            anchor_at=text.anchor_at,
            at=now,
            open_until=text.answer_until if waits else None,
            question=text.nudge_for,
            priority=text.priority,
        )
        if text.nudge_for and answered:
            question = (*key(text), text.nudge_for)
            sent[question] = replace(sent[question], open_until=None)


def _asked_beside(text, sent, now):
    """Check what is open as a question goes out, and end what has been open for long enough."""
    for name, one in sent.items():
        if one.open_until is None or one.open_until <= now or name[:3] == key(text):
            continue
        note(f"{now}: {key(text)} beside {name} of {one.at}, open until {one.open_until}")
        # A question is as old as its first text, whenever it was repeated.
        if now - min(each.at for other, each in sent.items() if other[:3] == name[:3]) >= ENOUGH:
            sent[name] = replace(one, open_until=None)
        else:
            assert text.importance is Importance.AFTER_DOSE
            assert one.priority >= text.priority


@pytest.mark.parametrize(("reached", "reason"), [(True, SkipReason.SAME_DAY), (False, None)])
@pytest.mark.parametrize("quit_date", ["2026-12-06", "2026-12-07", "2026-12-12"])
def test_a_quit_date_that_moves_asks_nothing_a_second_time_that_day(quit_date, reached, reason):
    """Asked on Tuesday by the old date; by the new one it is another day's, or another step's."""
    asked_at = local("2026-12-08 17:00")
    name = {"enrollment_id": "count", "step": "count_after", "occurrence": "day-4"}
    old = datetime(2026, 12, 5, tzinfo=UTC)
    texts = plan_patient(
        [enrolled("relapse-prevention-nicotine", day=date(2026, 12, 1), id="count")],
        patient(quit_date=date.fromisoformat(quit_date)),
        clinic(),
        now=local("2026-12-08 17:30"),
        events=[AskedFacts(**name, round=1, asked_at=asked_at, reached=reached)],
        sent=[SentText(**name, anchor_at=old, at=asked_at)],
    )
    step = "count_before" if quit_date == "2026-12-12" else "count_after"
    assert on(texts, "Tue 08", step) == {step: reason or "17:00"}
    assert on(texts, "Wed 09", step) == {step: "17:00"}
