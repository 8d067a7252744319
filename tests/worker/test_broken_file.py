"""A clinic's file that can't be read: the other clinics' texts, replies and pages go on.

Its own go on by the file that held before, if one is kept; else it stands still, loudly, and what
waits is before a person or waits on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest

from messages.gateways.fake import lose_answer
from records.clinics import all_clinics, keep_version
from records.followups import FollowUp
from schedules.clinic import read_clinic
from schedules.loader import shipped_files
from tests.support.secondperson import approved
from tests.support.world import CLINIC, World, make_clinic, make_patients, phone_of
from tests.worker.duty import CRISIS, SAM, Duty
from tests.worker.talk import Talk
from worker.clinicfiles import compare
from worker.refusal import RefusedError
from worker.steps import checkins, followups, plan, publishing, reconcile, replies, rounds, send
from worker.steps import clinics as clinic_step

ASHORE = "+12125550111"


class TwoClinics(Talk):
    """The world's clinic, and before it in every order another whose file gets broken."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        with world.database.transaction() as session:
            self.other, self.other_sender = make_clinic(session, key="ashore", number=ASHORE)
        world.publish_protocols()
        with self.at_the_other():
            world.publish_protocols()

    @contextmanager
    def at_the_other(self) -> Iterator[None]:
        """Have the world's helpers act for the other clinic."""
        world = self.world
        mine = world.clinic_id, world.sender_id
        world.clinic_id, world.sender_id = self.other, self.other_sender
        yield
        world.clinic_id, world.sender_id = mine

    def breaks(self) -> None:
        """Make the other clinic's file one that nobody can read."""
        self.world.execute(
            "UPDATE clinic SET version = version + 1, settings = settings - 'timezone'"
            ' || \'{"unknown": {"grace_seconds": "soon"}}\' WHERE id = :id',
            id=self.other,
        )

    def keeps(self) -> None:
        """Keep the other clinic's file as the version that was applied."""
        with self.world.database.transaction() as session:
            [clinic] = [each for each in all_clinics(session) if each.id == self.other]
            keep_version(session, clinic, by="desk", at=self.world.now)

    def of(self, clinic_id: UUID, table: str, what: str) -> list[str]:
        """Return a column of a clinic's rows in the order they were made."""
        rows = self.world.execute(
            f"SELECT {what} FROM {table} WHERE clinic_id = :id ORDER BY id", id=clinic_id
        )
        return [row[0] for row in rows]

    @property
    def mine(self) -> UUID:
        return self.world.clinic_id


@pytest.fixture
def two(world: World) -> TwoClinics:
    """Two clinics that can be read yet."""
    return TwoClinics(world)


def test_planning_goes_on_beside_it(two: TwoClinics) -> None:
    """Its patients wait ten minutes for the next try, and stand on the work list at once."""
    with two.at_the_other():
        two.world.enroll_by_hand()
    two.world.enroll_by_hand()
    two.breaks()
    plan.run(two.world.services)

    assert "daily_0_10" in two.of(two.mine, "message", "step")
    assert two.of(two.other, "message", "step") == []
    assert two.of(two.other, "follow_up", "reason") == ["cannot_plan"]
    [again] = two.of(two.other, "enrollment", "next_roll_at")
    assert again > two.world.now


def test_planning_goes_on_beside_a_protocol_that_cannot_be_read(two: TwoClinics) -> None:
    """Who follows it stands on the work list; the others of its clinic are planned too."""
    with two.at_the_other():
        two.world.enroll_by_hand()
        two.world.book(starts_in=timedelta(days=9))
    two.world.enroll_by_hand()
    two.world.execute(
        "UPDATE protocol_version SET source = 'id: daily-check-in', checksum = 'spoilt'"
        " WHERE protocol = 'daily-check-in' AND clinic_id = :id",
        id=two.other,
    )
    plan.run(two.world.services)

    assert "daily_0_10" in two.of(two.mine, "message", "step")
    assert {"daily_0_10"}.isdisjoint(two.of(two.other, "message", "step"))
    assert "visit_48h" in two.of(two.other, "message", "step")
    assert two.of(two.other, "follow_up", "reason") == ["cannot_plan"]


def test_texts_and_safety_replies_go_on_beside_it(two: TwoClinics) -> None:
    """Each sender is on its own: the broken one's texts stay planned."""
    with two.at_the_other():
        two.world.due()
    two.world.due()
    two.breaks()
    with pytest.raises(Exception, match="timezone"):
        send.run(two.world.services, two.world.carrier, two.other_sender)
    two.world.send()

    assert two.of(two.mine, "message", "status") == ["accepted"]
    assert two.of(two.other, "message", "status") == ["planned"]


def test_replies_go_on_beside_it(two: TwoClinics) -> None:
    """What can't be handled is paged as a text that nobody could read, danger before all."""
    with two.world.database.transaction() as session:
        make_patients(session, two.world.vault, two.other, 1, first=1)
    two.someone()
    two.breaks()
    two.receive(CRISIS, phone=phone_of(1), to=ASHORE)
    two.receive(CRISIS)
    for _ in range(4):
        replies.run(two.world.services)
        two.world.advance(seconds=40)

    assert "crisis" in two.of(two.mine, "follow_up", "reason")
    assert two.of(two.other, "follow_up", "reason || severity") == ["reading_failedpage_now"]
    assert two.of(two.other, "inbound", "handled_at IS NOT NULL") == [True]


def test_calls_for_what_did_not_arrive_go_on_beside_it(two: TwoClinics) -> None:
    """Its own instruction becomes a call at once: its deadline is not known."""
    with two.at_the_other():
        two.world.due()
    two.world.due()
    two.world.execute(
        "UPDATE message SET status = 'failed', reason = 'outcome_unknown', final_at = :now,"
        " prove_by = :now",
        now=two.world.now,
    )
    two.breaks()
    followups.run(two.world.services)

    assert "outcome_unknown" in two.of(two.mine, "follow_up", "reason")
    assert "instruction_not_delivered" in two.of(two.other, "follow_up", "reason")


def test_questions_to_staff_about_visits_go_on_beside_it(two: TwoClinics) -> None:
    """Nobody recorded how a visit ended: its staff are asked when the file is mended."""
    with two.at_the_other():
        two.world.book(starts_in=timedelta(hours=1))
    two.world.book(starts_in=timedelta(hours=1))
    two.world.advance(hours=4)
    two.breaks()
    followups.ask_about_visits(two.world.services)

    assert set(two.of(two.mine, "follow_up", "reason")) == {"visit_event_missing"}
    assert two.of(two.other, "follow_up", "reason") == []


def test_unanswered_questions_end_beside_it(two: TwoClinics) -> None:
    """Its own are put before a person when they could not be judged for an hour."""
    with two.at_the_other():
        two.world.enroll_by_hand()
    two.world.enroll_by_hand()
    two.world.plan()
    two.world.advance(hours=7)
    two.world.send()
    with two.at_the_other():
        two.world.send()
    two.delivered()
    two.breaks()
    two.world.advance(hours=40)
    checkins.run(two.world.services)

    assert two.of(two.mine, "check_in", "status") == ["missed"]
    assert two.of(two.other, "check_in", "status") == ["void"]
    assert two.of(two.other, "follow_up", "reason") == ["no_answer"]


def test_texts_in_doubt_are_settled_beside_it(two: TwoClinics) -> None:
    """The carrier is asked about the others' all the same, and the sweep finds what was lost."""
    with two.at_the_other():
        two.world.due()
    two.world.due()
    for number in (phone_of(0), phone_of(1)):
        two.world.gateway.script(lose_answer(creates=True), to=number)
    two.world.send()
    with two.at_the_other():
        two.world.send()
    two.breaks()
    two.world.execute("UPDATE attempt SET next_look_at = clock_timestamp() - interval '1 second'")
    reconcile.sweep(two.world.services)
    reconcile.settle_unknown(two.world.services, two.world.carrier)

    assert two.of(two.mine, "message", "status") == ["accepted"]
    assert two.of(two.other, "message", "status") == ["unknown"]


def test_pages_and_rounds_go_on_beside_it(two: TwoClinics) -> None:
    """The others' staff are called, and their test pages go."""
    with two.world.database.transaction() as session:
        make_patients(session, two.world.vault, two.other, 1, first=1)
    two.someone()
    two.receive(CRISIS, phone=phone_of(1), to=ASHORE)
    two.receive(CRISIS)
    replies.run(two.world.services)
    two.breaks()
    with Duty(world=two.world) as duty:
        duty.tick()
        rounds.run(two.world.services, duty.channels)

        assert duty.rung(SAM) == 1
        assert "sam@clinic.test" in two.of(two.mine, "page", "person")
        assert two.of(two.other, "page", "person") == []
        assert [row.status for row in two.rows(FollowUp)] == ["open", "open"]


def test_a_file_that_held_before_stands_in(two: TwoClinics) -> None:
    """Whoever is in danger is answered and paged for by it, and the operators hear of it."""
    two.keeps()
    with two.world.database.transaction() as session:
        make_patients(session, two.world.vault, two.other, 1, first=1)
    two.breaks()
    two.receive(CRISIS, phone=phone_of(1), to=ASHORE)
    replies.run(two.world.services)
    with Duty(world=two.world) as duty:
        duty.tick()
        for _ in range(2):
            rounds.run(two.world.services, duty.channels)

    assert two.answers == ["crisis_reply"]
    assert two.of(two.other, "follow_up", "reason") == ["crisis"]
    assert "item sam@clinic.test" in two.of(two.other, "page", "kind || ' ' || person")
    told = two.of(two.other, "page", "concat(subject, ' ', person)")
    about_it = [each for each in told if each.startswith("file ")]
    assert sorted(about_it) == ["file kim@clinic.test", "file sam@clinic.test"]


def test_a_file_that_is_mended_needs_no_stand_in(two: TwoClinics) -> None:
    """The next reading of the row takes the present file again."""
    two.keeps()
    two.breaks()
    with two.world.database.transaction() as session:
        assert [each.stand_in is not None for each in all_clinics(session)] == [True, False]
    two.world.execute(
        "UPDATE clinic c SET settings = v.settings FROM clinic_version v WHERE v.clinic_id = c.id"
    )
    with two.world.database.transaction() as session:
        assert [each.stand_in is not None for each in all_clinics(session)] == [False, False]


def test_a_file_is_applied_where_none_of_before_can_be_read(two: TwoClinics) -> None:
    """All of it counts as changed and waits for a clinician; what patients follow, they keep."""
    text = CLINIC.format(key="ashore", number=ASHORE, opens="09:00", closes="20:00")
    file = read_clinic(text, "ashore.yaml", sandbox=True)
    with two.at_the_other():
        two.world.enroll_by_hand()
        ended = two.world.enroll_by_hand()
    two.world.execute("UPDATE enrollment SET status = 'completed' WHERE patient_id = :id", id=ended)
    two.breaks()
    without = file.model_copy(update={"protocols": tuple(file.protocols)[:-1]})
    with pytest.raises(clinic_step.InUseError, match="daily-check-in"):
        clinic_step.apply(two.world.services, without, actor="t")
    compared = compare(two.world.services, file)
    assert compared is not None
    assert (compared.mends, compared.has_before) == (True, False)
    with two.at_the_other():
        approved(two.world, file)
    done = clinic_step.apply(two.world.services, file, actor="t", seen=compared.seen)
    assert (done.mended, done.enrolled, done.ended) == (True, 0, 0)
    assert "timezone" in {change.field for change in done.changes}
    assert sorted(two.of(two.other, "enrollment", "status")) == ["active", "completed"]
    two.world.plan()
    assert "daily_0_10" in two.of(two.other, "message", "step")
    with two.world.database.transaction() as session:
        assert [each.is_broken for each in all_clinics(session)] == [False, False]


def test_no_protocol_is_published_where_no_file_can_be_read(two: TwoClinics) -> None:
    """It says what has to be mended first, and by which command."""
    two.breaks()
    daily = shipped_files()["daily-check-in.yaml"]
    with pytest.raises(RefusedError, match=r"settings of ashore.*`aftercare clinic apply FILE"):
        publishing.draft(two.world.services, two.other, daily, "daily-check-in.yaml")


def test_where_none_of_before_can_be_read_all_languages_of_safety_words_are_asked(
    two: TwoClinics,
) -> None:
    """Those of the file, and that of its own words in a language that it does not text in."""
    two.breaks()
    text = CLINIC.format(key="ashore", number=ASHORE, opens="09:00", closes="20:00")
    english = text.replace("languages: [en, es]", "languages: [en]")
    spanish = "words: {es: {self_harm: {say: [ir al viejo puente]}}}\ntimezone:"
    asked = {}
    for each in (english, english.replace("timezone:", spanish)):
        compared = compare(two.world.services, read_clinic(each, "ashore.yaml", sandbox=True))
        assert compared is not None
        asked[each] = (compared.wanted.languages, compared.safety != ())
    assert list(asked.values()) == [(("en",), True), (("en", "es"), True)]
