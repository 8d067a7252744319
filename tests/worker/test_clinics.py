"""A clinic's file applied: what it changes for texts that wait, and for numbers that are heard."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from messages.gateways.fake import refuse
from records import clinics
from records.base import DBAPIError
from schedules.clinic import ClinicFile, read_clinic
from tests.support.databases import OwnDatabase
from tests.support.secondperson import approve, approved, clinician, propose
from tests.support.world import CLINIC, NUMBER, World
from tests.worker.talk import hide_column
from worker import dispatch
from worker.carrier import Carrier, Posted
from worker.refusal import RefusedError
from worker.signoff import MovedOnError, NeedsApprovalError
from worker.steps import clinics as step
from worker.steps import outcomes, people, plan, reconcile, send
from worker.steps.clinics import Applied

OTHER = "+12125550111"


def _file(*changes: tuple[str, str], key: str = "riverside", number: str = NUMBER) -> ClinicFile:
    text = CLINIC.format(key=key, number=number, opens="09:00", closes="20:00")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return read_clinic(text, "clinic.yaml", sandbox=True)


def _apply(world: World, *changes: tuple[str, str], **more: str) -> Applied:
    return step.apply(world.services, _file(*changes, **more), actor="test")


def _version(world: World) -> int:
    with world.database.transaction() as session:
        return clinics.by_id(session, world.clinic_id).version


@pytest.fixture
def house(world: World) -> World:
    """The world with its file applied, and a visit in nine days whose texts are planned."""
    _apply(world)
    world.book(starts_in=timedelta(days=9))
    _apply(world)
    world.plan()
    # The world's own mark is of its clock, which is ahead of the database's.
    world.execute("UPDATE enrollment SET plan_requested_at = NULL")
    return world


def test_applying_again_changes_nothing(house: World) -> None:
    """No version, no audit event, no plan."""
    before = (_version(house), house.execute("SELECT count(*) FROM audit_event"))
    assert not _apply(house).changed
    assert (_version(house), house.execute("SELECT count(*) FROM audit_event")) == before
    assert house.execute("SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL") == [
        (0,)
    ]


def test_what_a_release_adds_with_its_default_is_no_change(house: World) -> None:
    """Settings kept before routes and substances were data: the same file changes nothing."""
    house.execute(
        "UPDATE clinic SET version = version + 1,"
        " settings = (settings - 'routes' - 'substances') #- '{fasting,routes}'"
    )
    assert not _apply(house).changed


def test_any_change_raises_the_version(house: World) -> None:
    """Workers that keep a clinic's settings see by it that theirs are old."""
    before = _version(house)
    done = _apply(house, ('phone: "+12125550100"', 'phone: "+12125550101"'))
    assert [change.field for change in done.changes] == ["phone"]
    assert _version(house) == before + 1


def test_a_phone_asks_for_no_plan_and_a_window_does(house: World) -> None:
    """Care rule 28: rendering happens at the claim; when a text goes is planned."""
    asked = "SELECT count(*) FROM enrollment WHERE plan_requested_at IS NOT NULL"
    _apply(house, ("+12125550100", "+12125550101"))
    assert house.execute(asked) == [(0,)]
    _apply(house, ('from: "09:00"', 'from: "11:00"'))
    assert house.execute(asked) == [(3,)]
    before = min(each.due_at for each in house.texts())
    house.plan()
    assert min(each.due_at for each in house.texts()) > before


def test_a_new_sender_takes_over_what_is_unsent(house: World) -> None:
    """Claimed rows too; the old number is still heard."""
    house.execute("UPDATE message SET status = 'claimed' WHERE step = 'visit_7d'")
    done = _apply(house, number=OTHER)
    assert done.moved_texts == 4
    [(old_count,)] = house.execute(
        "SELECT count(*) FROM message WHERE sender_id = :old", old=house.sender_id
    )
    assert old_count == 0
    assert house.statuses() == {"planned": 4}
    numbers = house.execute("SELECT number, previous FROM sender_number ORDER BY number")
    assert numbers == [(NUMBER, True), (OTHER, False)]
    with house.database.transaction() as session:
        sender = clinics.active_sender(session, house.clinic_id)
        assert sender.from_number == OTHER


def _senders(house: World) -> dict[str, int]:
    """Return how many planned texts each of the house's numbers has."""
    counted = (
        "SELECT s.from_number, count(m.id) FROM sender s LEFT JOIN message m"
        " ON m.sender_id = s.id AND m.status = 'planned' GROUP BY s.from_number"
    )
    return dict(house.execute(counted))


def _use_new_sender(house: World) -> None:
    with house.database.transaction() as session:
        house.sender_id = clinics.active_sender(session, house.clinic_id).id


def test_texts_planned_while_the_number_changes_go_from_the_new_one(house: World) -> None:
    """The plan read the old sender, and commits after the file took all from it."""
    house.book(starts_in=timedelta(days=10))
    _apply(house)

    def change(point: str) -> None:
        if point == "plan.before_commit" and OTHER not in _senders(house):
            _apply(house, number=OTHER)

    plan.run(replace(house.services, crashpoint=change))
    assert _senders(house) == {NUMBER: 4, OTHER: 4}
    reconcile.sweep(house.services)
    assert _senders(house) == {NUMBER: 0, OTHER: 8}


def test_a_retired_sender_posts_nothing(house: World) -> None:
    """Its number may be somebody else's by now. A text left with it goes once it is handed over."""
    old = house.sender_id
    _apply(house, number=OTHER)
    [message_id] = house.due()
    work = dispatch.find_work(house.services, by_beat=True)
    assert "send" not in {step for step, *_ in work}
    house.send()
    assert house.gateway.calls == []
    reconcile.sweep(house.services)
    _use_new_sender(house)
    house.send()
    assert (house.message(message_id).status, house.sender_id == old) == ("accepted", False)
    assert [text.from_number for text in house.gateway.calls] == [OTHER]


def test_a_refusal_of_the_old_number_holds_back_no_text_of_the_new(house: World) -> None:
    """It was on its way as the number changed, and is no fault of the account's."""

    def write(posted: Sequence[Posted]) -> None:
        _apply(house, number=OTHER)
        outcomes.write(house.services, posted)

    carrier = Carrier(lambda: house.gateway, in_flight=8, write=write)
    [message_id] = house.due()
    house.gateway.script(refuse(21606))
    send.run(house.services, carrier, house.sender_id)
    assert carrier.drain(20)
    breakers = house.execute("SELECT from_number, breaker_reason FROM sender ORDER BY id")
    assert breakers == [(NUMBER, "code_21606"), (OTHER, None)]
    reconcile.sweep(house.services)
    _use_new_sender(house)
    house.advance(seconds=61)
    # What came back waits until the plan has looked at it again, and for what else is due.
    house.plan()
    for _ in range(2):
        house.send()
        house.advance(seconds=6)
    assert house.message(message_id).status == "accepted"
    assert [text.from_number for text in house.gateway.calls] == [NUMBER, OTHER, OTHER]
    carrier.close()


def test_a_new_rate_keeps_the_sender(house: World) -> None:
    """The bucket goes on where it is."""
    _apply(house, ("segments_per_second: 1000", "segments_per_second: 5"))
    assert house.execute("SELECT segments_per_second FROM sender") == [(5.0,)]


def test_two_clinics_share_neither_sender_nor_number(house: World) -> None:
    """A reply could not be told apart; nothing of the second clinic is created."""
    with pytest.raises(RefusedError, match="riverside"):
        _apply(house, key="lakeside")
    service = "sender: {messaging_service_sid: MG" + "0" * 32 + f', numbers: ["{NUMBER}"]'
    with pytest.raises(RefusedError, match="belongs to one clinic"):
        _apply(house, (f'sender: {{from: "{OTHER}"', service), key="lakeside", number=OTHER)
    assert house.execute("SELECT count(*) FROM clinic") == [(1,)]


def test_a_number_that_its_clinic_gave_up_can_be_taken_over(house: World) -> None:
    """It was only still listened to."""
    _apply(house, number=OTHER)
    _apply(house, key="lakeside", number=NUMBER)
    assert house.execute(
        "SELECT c.key, n.previous FROM sender_number n JOIN clinic c ON c.id = n.clinic_id"
        " WHERE n.number = :number",
        number=NUMBER,
    ) == [("lakeside", False)]


def test_switching_a_protocol_off_ends_it_and_on_begins_it_again(house: World) -> None:
    """For visits to come, and by hand; where patients follow it only when that is said aloud."""
    house.enroll_by_hand()
    house.plan()
    everything = house.statuses()["planned"]
    left_out = (("dosing-visit, ", ""), (", daily-check-in", ""))
    with pytest.raises(step.InUseError, match=r"daily-check-in .1 patient., dosing-visit"):
        _apply(house, *left_out)
    assert house.statuses()["planned"] == everything
    fewer = approved(house, _file(*left_out))
    done = step.apply(house.services, fewer, actor="test", end_running=True)
    assert (done.enrolled, done.ended) == (0, 2)
    house.plan()
    assert "planned" not in house.statuses()
    done = step.apply(house.services, approved(house, _file()), actor="test")
    assert (done.enrolled >= 2, done.ended) == (True, 0)
    house.plan()
    assert house.statuses()["planned"] == everything


_AT_HOME = ("daily-check-in]", "daily-check-in, dosing-at-home]")


def _answered(who: str) -> tuple[str, str]:
    return ("timezone:", f"gates: {{home-dosing: {who}}}\ntimezone:")


def test_opening_a_gate_waits_for_a_second_person(house: World) -> None:
    """Doses at home begin with all their safety content; so does another who answers for them."""
    opened = _file(_AT_HOME, _answered("Dr. Lee"))
    with pytest.raises(NeedsApprovalError) as refused:
        step.apply(house.services, opened, actor="cli:kim")
    assert "gates: nothing -> {home-dosing Dr. Lee}" in refused.value.safety
    added = [one for one in refused.value.safety if one.startswith("dosing-at-home switched on, ")]
    assert any("what must be settled" in one for one in added)
    assert any("a text after a dose (added)" in one for one in added)
    done = step.apply(house.services, approved(house, opened), actor="cli:kim")
    assert done.published == (("dosing-at-home", 1),)
    with pytest.raises(NeedsApprovalError, match=r"Dr\. Lee} -> {home-dosing Dr\. Ray}"):
        _apply(house, _AT_HOME, _answered("Dr. Ray"))


def test_a_gate_is_opened_by_one_while_a_clinic_is_set_up(world: World) -> None:
    """There are no patients yet, and nobody who could approve."""
    _apply(world)
    assert _apply(world, _AT_HOME, _answered("Dr. Lee")).published == (("dosing-at-home", 1),)


def test_what_was_switched_off_comes_back_with_a_second_person(house: World) -> None:
    """As it went: both change what patients are told and who looks."""
    left_out = ("integration, ", "")
    step.apply(house.services, approved(house, _file(left_out)), actor="test")
    with pytest.raises(NeedsApprovalError, match="integration switched on, "):
        _apply(house)
    assert step.apply(house.services, approved(house, _file()), actor="test").changed


def test_applying_a_file_welcomes_nobody_whose_record_is_closed(house: World) -> None:
    """What every clinic has on is switched on by no file."""
    who = house.enroll_by_hand(protocol="welcome")
    people.close(house.services, who, reason=people.Reason.DISCHARGED, actor="test")
    done = _apply(house, ("+12125550100", "+12125550101"))
    assert (done.enrolled, done.ended) == (0, 0)
    assert house.execute("SELECT status FROM enrollment WHERE protocol = 'welcome'") == [
        ("completed",)
    ]


_DAILY = (", daily-check-in", "")


def _by_hand(world: World) -> str:
    [row] = world.execute("SELECT status FROM enrollment WHERE protocol = 'daily-check-in'")
    status: str = row.status
    return status


def _cut_off(world: World, database: OwnDatabase, file: ClinicFile) -> None:
    """Apply a file and fail right behind its settings, where the coming visits are read."""
    back = hide_column(database, "appointment", "starts_at")
    with pytest.raises(DBAPIError):
        step.apply(world.services, file, actor="test", end_running=True)
    back()


@pytest.mark.parametrize("on", [False, True], ids=["off", "on"])
def test_what_is_by_hand_follows_a_file_that_was_cut_off_and_applied_again(
    house: World, database: OwnDatabase, on: bool
) -> None:
    """Nobody is texted by a protocol that the clinic has switched off, or forgotten by one on."""
    house.enroll_by_hand()
    if on:
        off = approved(house, _file(_DAILY))
        step.apply(house.services, off, actor="test", end_running=True)
    file = approved(house, _file() if on else _file(_DAILY))
    version = _version(house)
    _cut_off(house, database, file)
    assert _version(house) == version + 1
    step.apply(house.services, file, actor="test", end_running=True)
    assert _by_hand(house) == ("active" if on else "completed")


def test_what_an_earlier_apply_left_running_by_hand_ends_with_the_next(house: World) -> None:
    """The file is what holds, whatever was lost on the way to it."""
    house.enroll_by_hand()
    step.apply(house.services, approved(house, _file(_DAILY)), actor="test", end_running=True)
    house.execute("UPDATE enrollment SET status = 'active' WHERE protocol = 'daily-check-in'")
    assert _apply(house, _DAILY).ended == 1
    assert _by_hand(house) == "completed"
    assert not _apply(house, _DAILY).changed


def test_what_staff_published_is_not_replaced(house: World) -> None:
    """The shipped text is the newest only as long as nobody wrote their own."""
    house.execute(
        "INSERT INTO protocol_version (id, clinic_id, protocol, number, source, checksum,"
        " published_by) SELECT uuidv7(), clinic_id, protocol, 2, source || '# ours', 'x',"
        " 'staff:1' FROM protocol_version WHERE protocol = 'integration'"
    )
    assert _apply(house).published == ()


def test_a_shipped_protocol_that_changed_is_published_anew(house: World) -> None:
    """A new release of the product brings its schedules along, as a version of their own."""
    house.execute("UPDATE protocol_version SET checksum = 'older' WHERE protocol = 'integration'")
    assert _apply(house).published == (("integration", 2),)


_FASTING = ("timezone:", "fasting: {solids_hours: 8, fluids_hours: 2}\ntimezone:")


@pytest.mark.parametrize("instead", ["severity: digest", "severity: page_now"])
def test_an_approval_does_not_hold_for_what_a_release_brings_since(
    house: World, instead: str
) -> None:
    """Approved and not yet applied; the next release ships `after-dose` otherwise than was read."""
    file = approved(house, _file(_FASTING))
    house.execute(
        "UPDATE protocol_version SET checksum = 'older',"
        " source = replace(source, 'severity: page_now', :instead) WHERE protocol = 'after-dose'",
        instead=instead,
    )
    with pytest.raises(NeedsApprovalError, match="fasting"):
        step.apply(house.services, file, actor="cli:kim")
    lee, ray = clinician(house, "lee"), clinician(house, "ray")
    with pytest.raises(MovedOnError, match="Propose it anew"):
        approve(house, file, house.execute("SELECT id FROM proposal")[0].id, ray)
    house.execute("UPDATE proposal SET closed_at = now(), outcome = 'rejected'")
    approve(house, file, propose(house, file, lee), ray)
    done = step.apply(house.services, file, actor="cli:kim")
    assert done.published == (("after-dose", 2),)


def test_a_proposal_made_anew_after_other_settings_can_be_approved(house: World) -> None:
    """The first one holds for settings that are no longer in force; it is superseded."""
    lee, ray = clinician(house, "lee"), clinician(house, "ray")
    file = _file(_FASTING)
    first = propose(house, file, lee)
    assert propose(house, file, lee) == first
    _apply(house, ("+12125550100", "+12125550101"))
    again = propose(house, file, lee)
    outcomes = house.execute("SELECT id, outcome FROM proposal ORDER BY proposed_at, id")
    assert outcomes == [(first, "superseded"), (again, None)]
    approve(house, file, again, ray)
    assert step.apply(house.services, file, actor="cli:kim").changed


_ENGLISH = ("languages: [en, es]", "languages: [en]")
_PELIGRO = (
    "wording: {crisis_reply: {es: '¿En peligro? Llame al 911. El 988 escucha gratis: llame o"
    " escriba, 24/7. Avisamos al equipo.'}}"
)
_FRASE = "words: {es: {self_harm: {say: [ir al viejo puente]}}}"


@pytest.mark.parametrize("spanish", [_PELIGRO, _FRASE], ids=["wording", "words"])
def test_safety_words_need_a_reader_of_their_language(world: World, spanish: str) -> None:
    """A Spanish text is answered, and read, in Spanish where the clinic itself texts in English."""
    _apply(world, _ENGLISH)
    lee, ray = clinician(world, "lee"), clinician(world, "ray")
    file = _file(_ENGLISH, ("timezone:", f"{spanish}\ntimezone:"))
    proposal = propose(world, file, lee)
    assert approve(world, file, proposal, ray, "en").waits == ("es",)
    with pytest.raises(NeedsApprovalError):
        step.apply(world.services, file, actor="cli:kim")
    assert approve(world, file, proposal, ray, "es").waits == ()
    assert step.apply(world.services, file, actor="cli:kim").changed


def test_a_language_that_comes_with_safety_content_is_approved_too(world: World) -> None:
    """Whoever adds Spanish and other hours of fasting at once waits for both languages."""
    _apply(world, _ENGLISH)
    lee, ray = clinician(world, "lee"), clinician(world, "ray")
    file = _file(_FASTING)
    assert approve(world, file, propose(world, file, lee), ray, "es").waits == ("en",)
    approve(world, file, propose(world, file, lee), ray)
    assert step.apply(world.services, file, actor="cli:kim").changed


def test_a_refused_file_changes_nothing(house: World) -> None:
    """An unknown protocol, a name that no text may carry."""
    before = _version(house)
    for change in (("integration", "integrations"), ("Riverside Care", "Ketamine Care")):
        with pytest.raises(RefusedError):
            _apply(house, change)
    assert _version(house) == before


def test_a_pause_takes_claims_back_and_lasts_until_it_is_lifted(house: World) -> None:
    """Safety replies are not touched by it."""
    house.execute("UPDATE message SET status = 'claimed' WHERE step = 'visit_7d'")
    house.execute("UPDATE message SET status = 'claimed', priority = 0 WHERE step = 'visit_48h'")
    step.pause(house.services, house.clinic_id, actor="test")
    assert house.execute(
        "SELECT status FROM message WHERE step IN ('visit_7d', 'visit_48h') ORDER BY step"
    ) == [("claimed",), ("planned",)]
    assert house.execute("SELECT paused_at, paused_until FROM clinic") == [(house.now, None)]
    step.unpause(house.services, house.clinic_id, actor="test")
    assert house.execute("SELECT paused_at FROM clinic") == [(None,)]
