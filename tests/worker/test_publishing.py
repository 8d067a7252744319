"""Publishing on a real database: what is shown is what happens, to everybody or to nobody yet."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages.gateways.fake import lose_answer
from records import audit
from records.clinics import Staff
from records.outbox import Message
from schedules.errors import ProtocolError
from schedules.loader import shipped_files
from tests.support.world import World
from tests.worker.talk import Talk
from worker import protocols, signoff
from worker.effects import Effects, What, effects_of
from worker.rollout import roll_out
from worker.signoff import MovedOnError, NeedsApprovalError
from worker.steps import followups, publishing, staff
from worker.steps.staff import Role

PASSWORD = "a long enough password"
DAILY = shipped_files()["daily-check-in.yaml"]
DOSING = shipped_files()["dosing-visit.yaml"]


@pytest.fixture
def clinic(world: World) -> World:
    """Published protocols, one patient before a dose and two with check-ins, planned."""
    world.publish_protocols()
    world.book(starts_in=timedelta(days=9))
    world.enroll_by_hand()
    world.enroll_by_hand(patient={}, language="es")
    world.plan()
    return world


def _person(world: World, name: str, role: Role) -> Staff:
    email = f"{name}@clinic.test"
    staff.add(
        world.services, world.clinic_id, email=email, role=role, password=PASSWORD, actor="test"
    )
    return signoff.proven(world.services, world.clinic_id, email=email, password=PASSWORD)


def _look(world: World, draft: publishing.Draft) -> Effects:
    return effects_of(world.services, draft.change)


def _draft(world: World, source: str, **more: Any) -> publishing.Draft:
    return publishing.draft(world.services, world.clinic_id, source, "file.yaml", **more)


def _publish(world: World, source: str, **more: Any) -> int:
    draft = _draft(world, source, **more)
    number = publishing.publish(world.services, draft, actor="test")
    assert roll_out(world.services, world.clinic_id, draft.protocol.id, number) == 0
    return number


def _unsent(world: World) -> Mapping[tuple[object, ...], tuple[object, ...]]:
    """What will go, and everything that its protocol says of it."""
    return {
        (each.enrollment_id, each.step, each.occurrence, each.round): (
            each.due_at,
            each.latest_at,
            each.template,
            each.priority,
            each.purpose,
            each.expects,
            each.answer_until,
            each.prove_by,
            each.policy,
            each.params,
        )
        for each in world.texts()
        if each.status == "planned"
    }


def _due(world: World) -> dict[UUID, datetime]:
    return {each.id: each.due_at for each in world.texts() if each.status == "planned"}


def _earlier(source: str, minutes: int = 60) -> str:
    return source.replace("at 17:00 or", f"at {17 - minutes // 60}:{-minutes % 60:02d} or")


def test_what_is_shown_is_what_happens(clinic: World) -> None:
    """Each check-in moves as the diff said, at the instants it said, and nothing else does."""
    source = _earlier(DAILY)
    draft = _draft(clinic, source)
    before = _due(clinic)
    shown = _look(clinic, draft)
    assert shown.counts["moved"] == len(shown.texts) > 10
    _publish(clinic, source)
    after = _due(clinic)
    moved = sorted((before[one], after[one]) for one in before if before[one] != after[one])
    assert moved == sorted((one.was_at, one.now_at) for one in shown.texts)
    assert {one.patient for one in shown.texts} == {"P1", "P2"}
    assert before.keys() == after.keys()


def test_looking_writes_nothing(clinic: World) -> None:
    """Not a row, not a mark."""
    before = [(each.id, each.due_at, each.status) for each in clinic.texts()]
    _look(clinic, _draft(clinic, _earlier(DAILY)))
    assert [(each.id, each.due_at, each.status) for each in clinic.texts()] == before
    marks = "SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL"
    assert clinic.execute(marks)[0][0] == 0
    assert clinic.execute("SELECT count(*) FROM protocol_version WHERE number > 1")[0][0] == 0


def test_editing_wording_moves_no_time(clinic: World) -> None:
    """Another template goes at the same minute, and the diff says so."""
    source = DOSING.replace("template: visit_7d", "template: assess_48h")
    before = _due(clinic)
    shown = _look(clinic, _draft(clinic, source))
    assert [(one.what, one.step) for one in shown.texts] == [(What.REWORDED, "visit_7d")]
    assert not shown.moves_texts
    _publish(clinic, source)
    assert _due(clinic) == before
    assert "assess_48h" in {each.template for each in clinic.texts()}


def test_an_answer_window_that_changes_reaches_texts_that_are_planned(clinic: World) -> None:
    """What a text expects is the new version's, also where its minute stays."""
    source = DAILY.replace("answer_until: 20 hours", "answer_until: 19 hours")
    assert source != DAILY
    doctor, nurse = (_person(clinic, "lee", Role.CLINICIAN), _person(clinic, "kim", Role.ADMIN))
    before = {each.id: each.answer_until for each in clinic.texts() if each.step == "daily_0_10"}
    _approve(clinic, source, by=doctor, proposed_by=nurse)
    _publish(clinic, source)
    for each in clinic.texts():
        if each.id in before and before[each.id] is not None:
            assert each.answer_until == before[each.id] - timedelta(hours=1)
            assert each.protocol_number == 2


def test_a_text_under_way_stays_with_the_version_it_went_by(clinic: World) -> None:
    """One whose outcome is unknown is not moved, sent again or taken back."""
    clinic.advance(hours=7, minutes=1)
    clinic.gateway.script(lose_answer(creates=True))
    clinic.plan()
    clinic.send()
    went = {each.id: (each.status, each.due_at) for each in clinic.texts() if each.attempts}
    assert went
    _publish(clinic, _earlier(DAILY))
    after = {each.id: (each.status, each.due_at) for each in clinic.texts() if each.attempts}
    assert after == went
    numbers = {each.protocol_number for each in clinic.texts() if each.id in went}
    assert numbers == {1}


def test_a_claimed_text_is_taken_back_and_follows_the_new_version(clinic: World) -> None:
    """Its claim is void, so that the old version's words can't go any more."""
    claimed = min(_texts_of(clinic, "daily_0_10"), key=lambda each: each.due_at)
    clinic.execute(
        "UPDATE message SET status = 'claimed', claim_token = uuidv7(),"
        " lease_until = now() + interval '1 minute' WHERE id = :id",
        id=claimed.id,
    )
    _publish(clinic, _earlier(DAILY))
    row = clinic.message(claimed.id)
    assert (row.status, row.claim_token, row.protocol_number) == ("planned", None, 2)
    assert row.due_at == claimed.due_at - timedelta(hours=1)


def _texts_of(world: World, step: str) -> list[Message]:
    return [each for each in world.texts() if each.step == step and each.status == "planned"]


def test_publishing_twice_is_idempotent(clinic: World) -> None:
    """The same text is one version, and nothing is written the second time."""
    source = _earlier(DAILY)
    assert _publish(clinic, source) == 2
    before = [(each.id, each.due_at, each.status) for each in clinic.texts()]
    history = clinic.execute("SELECT count(*) FROM message_history")[0][0]
    assert _publish(clinic, source) == 2
    assert [(each.id, each.due_at, each.status) for each in clinic.texts()] == before
    assert clinic.execute("SELECT count(*) FROM message_history")[0][0] == history


def test_of_two_who_publish_at_once_the_second_is_refused(clinic: World) -> None:
    """Each compared with version 1; what the second saw is no longer true."""
    first, second = (_draft(clinic, _earlier(DAILY, at)) for at in (60, 120))
    publishing.publish(clinic.services, first, actor="one")
    with pytest.raises(MovedOnError, match="version 2"):
        publishing.publish(clinic.services, second, actor="two")
    assert clinic.execute("SELECT max(number) FROM protocol_version")[0][0] == 2


def test_settings_that_changed_since_the_diff_refuse_it(clinic: World) -> None:
    """A window that was narrowed meanwhile makes another diff."""
    draft = _draft(clinic, _earlier(DAILY))
    clinic.execute("""UPDATE clinic SET settings = settings || '{"caps": {"per_day": 1}}'""")
    with pytest.raises(MovedOnError, match="settings"):
        publishing.publish(clinic.services, draft, actor="one")


def test_a_version_that_is_stopped_half_way_is_completed(clinic: World) -> None:
    """Whoever plans next brings the rest to it: the marks are rows."""
    draft = _draft(clinic, _earlier(DAILY))
    publishing.publish(clinic.services, draft, actor="test")
    clinic.plan()
    assert roll_out(clinic.services, clinic.clinic_id, "daily-check-in", 2) == 0
    assert {each.protocol_number for each in _texts_of(clinic, "daily_0_10")} == {2}


def _edits() -> st.SearchStrategy[str]:
    """Edits without safety content: when, how long useful, and for which time of the day."""
    return st.builds(
        lambda clock, late, booking: (
            DAILY.replace("at 17:00 or", clock)
            .replace("latest: 3 hours", late)
            .replace("late_booking: skip", booking)
        ),
        st.sampled_from(["at 17:00 or", "at 12:30 or", "at 18:15 or", "at 07:00 or"]),
        st.sampled_from(["latest: 3 hours", "latest: 1 hour", "latest: 90 minutes"]),
        st.sampled_from(["late_booking: skip", "late_booking: send at once"]),
        # At no minute could that be sent, so it is refused.
    ).filter(lambda source: "at 07:00" not in source or "latest: 1 hour" not in source)


def test_rolling_back_returns_every_unsent_text_to_where_it_was(clinic: World) -> None:
    """Whatever was edited: the times, the deadlines and what is expected are those of before."""

    @settings(
        max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(source=_edits())
    def holds(source: str) -> None:
        before = _unsent(clinic)
        number = _publish(clinic, source)
        row = publishing.earlier(clinic.services, clinic.clinic_id, "daily-check-in", 1)
        back = _publish(clinic, row.source, restores=1)
        assert back >= number
        assert _unsent(clinic) == before
        assert {each.protocol_number for each in _texts_of(clinic, "daily_0_10")} == {back}

    holds()


def test_a_step_that_comes_back_goes_by_the_version_that_brought_it(clinic: World) -> None:
    """Withdrawn under version 2, its texts return under 3, and answers are judged by 3."""
    doctor, other = (_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray"))
    before = _unsent(clinic)
    without = DAILY.replace("id: daily_0_10", "id: number").replace("day 14", "day 5")
    _approve(clinic, without, by=other, proposed_by=doctor)
    _publish(clinic, without)
    assert _texts_of(clinic, "daily_0_10") == []
    _approve(clinic, DAILY, by=other, proposed_by=doctor)
    assert _publish(clinic, DAILY, restores=1) == 3
    assert _unsent(clinic) == before
    assert {each.protocol_number for each in _texts_of(clinic, "daily_0_10")} == {3}


def _propose(world: World, source: str, *, by: Staff) -> UUID:
    wanted = _draft(world, source).wanted
    return signoff.propose(world.services, world.clinic_id, wanted, by=by)


def _approve(world: World, source: str, *, by: Staff, proposed_by: Staff, **more: Any) -> Any:
    return signoff.approve(
        world.services,
        world.clinic_id,
        _draft(world, source).wanted,
        proposal_id=_propose(world, source, by=proposed_by),
        by=by,
        **more,
    )


def test_a_version_after_one_that_was_stopped_matches_visits_anew(clinic: World) -> None:
    """The version that is for other visits was put into force, and its process died just then."""
    doctor, other = (_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray"))
    elsewhere = DOSING.replace("routes: [iv, im, lozenge]", "routes: [im]")
    _approve(clinic, elsewhere, by=other, proposed_by=doctor)
    publishing.publish(clinic.services, _draft(clinic, elsewhere), actor="test")
    _publish(clinic, elsewhere.replace("title: Dosing visit in", "title: Injection in"))
    clinic.plan()
    ended = clinic.execute("SELECT status FROM enrollment WHERE protocol = 'dosing-visit'")
    assert [row.status for row in ended] == ["completed"]
    assert _texts_of(clinic, "visit_7d") == []


def test_a_threshold_waits_for_a_second_person(clinic: World) -> None:
    """Not the proposer, not a coordinator, and only what was approved to the letter."""
    source = DAILY.replace("7 or more", "8 or more")
    draft = _draft(clinic, source)
    assert draft.safety
    with pytest.raises(NeedsApprovalError):
        publishing.publish(clinic.services, draft, actor="cli")
    doctor, other = (_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray"))
    desk = _person(clinic, "sam", Role.COORDINATOR)
    with pytest.raises(signoff.RefusedError, match="Only a clinician"):
        _approve(clinic, source, by=desk, proposed_by=doctor)
    with pytest.raises(signoff.RefusedError, match="yourself"):
        _approve(clinic, source, by=doctor, proposed_by=doctor)
    _approve(clinic, source, by=other, proposed_by=doctor)
    with pytest.raises(NeedsApprovalError):
        _publish(clinic, source.replace("8 or more", "9 or more"))
    assert _publish(clinic, source) == 2
    actions = clinic.execute("SELECT action FROM audit_event ORDER BY sequence")
    assert [row[0] for row in actions][-3:] == [
        "proposal.proposed",
        "proposal.approved",
        "protocol.published",
    ]
    with clinic.database.transaction() as session:
        assert audit.first_break(session, clinic.clinic_id) is None


def test_a_question_turned_into_its_opposite_waits_for_a_second_person(clinic: World) -> None:
    """A yes to "are you ready?" would call somebody, and news of their health nobody."""
    source = DOSING.replace("template: visit_48h", "template: home_ready")
    with pytest.raises(NeedsApprovalError, match="visit_48h: what an answer means"):
        publishing.publish(clinic.services, _draft(clinic, source), actor="cli:kim")


def test_every_language_in_use_needs_its_approval(clinic: World) -> None:
    """One clinician may approve English and another Spanish."""
    source = DAILY.replace("7 or more", "8 or more")
    people = [_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray", "eva")]
    standing = _approve(clinic, source, by=people[1], proposed_by=people[0], languages=["en"])
    assert standing.waits == ("es",)
    with pytest.raises(NeedsApprovalError):
        _publish(clinic, source)
    standing = _approve(clinic, source, by=people[2], proposed_by=people[0], languages=["es"])
    assert (standing.waits, set(standing.approved)) == ((), {"en", "es"})
    assert _publish(clinic, source) == 2


def test_a_rejected_proposal_cannot_be_used(clinic: World) -> None:
    """Neither by its approvals; the words why are kept."""
    source = DAILY.replace("7 or more", "8 or more")
    doctor, other = (_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray"))
    waits = _approve(clinic, source, by=other, proposed_by=doctor).proposal
    signoff.reject(
        clinic.services,
        clinic.clinic_id,
        subject=waits.subject,
        proposal_id=waits.id,
        by=other,
        why="too high",
    )
    with pytest.raises(NeedsApprovalError):
        _publish(clinic, source)


def test_a_signature_is_for_the_proposal_that_was_read(clinic: World) -> None:
    """Another one, made while the clinician typed their password, is neither approved nor ended."""
    doctor, other = (_person(clinic, name, Role.CLINICIAN) for name in ("lee", "ray"))
    source = DAILY.replace("7 or more", "8 or more")
    read = _propose(clinic, source, by=doctor)
    unread = _propose(clinic, DAILY.replace("7 or more", "9 or more"), by=doctor)
    wanted = _draft(clinic, source).wanted
    mine: dict[str, Any] = {"proposal_id": read, "by": other}
    with pytest.raises(MovedOnError, match="taken the place"):
        signoff.approve(clinic.services, clinic.clinic_id, wanted, **mine)
    mine |= {"subject": wanted.subject, "why": "too high"}
    with pytest.raises(MovedOnError, match="taken the place"):
        signoff.reject(clinic.services, clinic.clinic_id, **mine)
    waits = signoff.waiting(clinic.services, clinic.clinic_id, wanted.subject)
    assert waits is not None
    assert waits.id == unread
    assert clinic.execute("SELECT count(*) FROM proposal_approval") == [(0,)]


def test_an_open_question_is_judged_by_the_version_that_asked_it(world: World) -> None:
    """A ten pages, although the next version has no such step any more."""
    talk = Talk(world)
    talk.daily()
    doctor, other = (_person(world, name, Role.CLINICIAN) for name in ("lee", "ray"))
    source = DAILY.replace("id: daily_0_10", "id: number")
    _approve(world, source, by=other, proposed_by=doctor)
    assert _publish(world, source) == 2
    talk.says("10")
    assert talk.reasons == ["page_score"]


def test_an_answer_is_judged_by_a_version_that_newer_checks_refuse(world: World) -> None:
    """A check of ours that came later neither fails the reading nor stops what a ten opens."""
    refused = f"""{DAILY}
  - id: closing
    template: daily_0_10
    when: 1 day before enrollment at 10:00
    latest: 3 hours after sending
    stays_on: same day
"""
    with pytest.raises(ProtocolError, match="stays_on"):
        protocols.parsed(refused, "daily-check-in.yaml")
    talk = Talk(world)
    talk.daily()
    world.execute(
        "UPDATE protocol_version SET source = :source WHERE protocol = 'daily-check-in'",
        source=refused,
    )
    talk.says("10")
    assert talk.reasons == ["page_score"]


def test_a_text_under_way_keeps_its_call_when_a_new_version_leaves_it_out(world: World) -> None:
    """The patient still needs to hear it from a person when it did not arrive (care rule 2)."""
    world.publish_protocols()
    world.book(starts_in=timedelta(days=9))
    world.plan()
    [food] = [each for each in world.texts() if each.step == "visit_24h_prep"]
    world.advance(seconds=(food.due_at - world.now).total_seconds())
    world.send()
    assert world.message(food.id).status == "accepted"
    source, changed = re.subn(r"  - id: visit_24h_prep\n(?: {4}.*\n)+", "", DOSING)
    assert changed == 1
    doctor, other = (_person(world, name, Role.CLINICIAN) for name in ("lee", "ray"))
    _approve(world, source, by=other, proposed_by=doctor)
    assert _publish(world, source) == 2
    followups.run(world.services)
    world.execute("UPDATE follow_up SET status = 'resolved', outcome = 'called'")
    prove_by = world.message(food.id).prove_by
    assert prove_by is not None
    world.advance(seconds=(prove_by - world.now).total_seconds())
    followups.run(world.services)
    opened = world.execute("SELECT reason FROM follow_up WHERE status = 'open'")
    assert [row.reason for row in opened] == ["instruction_not_delivered"]


def test_a_text_to_be_proved_at_another_time_is_looked_at_anew(clinic: World) -> None:
    """What was looked at under the old version's time is not forgotten under the new one's."""
    [food] = _texts_of(clinic, "visit_24h_prep")
    assert food.prove_by is not None
    clinic.execute(
        "UPDATE message SET prove_by = :now, reviewed_at = :now WHERE id = :id",
        now=clinic.now,
        id=food.id,
    )
    _publish(clinic, DOSING.replace("template: visit_7d", "template: assess_48h"))
    row = clinic.message(food.id)
    assert (row.protocol_number, row.prove_by, row.reviewed_at) == (2, food.prove_by, None)
