"""Twelve hours of nothing, ending in the middle of the night: what goes and who calls."""

from tests.support.world import World
from tests.worker.desk import NEW_YORK, Desk, at
from worker.process import WorkerProcess

_OF_A_TICK = (
    "replies",
    "receipts",
    "plan",
    "check_ins",
    "follow_ups",
    "visits",
    "sweep",
    "unknown",
)
_USEFUL, _TOO_LATE = "P1", "P0"


def _tick(world: World, process: WorkerProcess) -> None:
    """Do what a tick finds, in its order: sending first."""
    process.run("send", str(world.sender_id))
    for step in _OF_A_TICK:
        process.run(step)
    process.run("send", str(world.sender_id))
    assert world.carrier.drain(20)


def test_twelve_hours_that_end_at_two_at_night(world: World) -> None:
    """Nothing goes at night; what is too late ends with its reason; instructions become calls."""
    desk = Desk(world)
    desk.admits(2)
    world.enroll_by_hand()
    # Food for tomorrow's dose at four is told today at four; news of health until 14 h tomorrow.
    desk.imports("2026-12-01T16:00", patient=_TOO_LATE)
    desk.imports("2026-12-02T16:00", patient=_USEFUL, first=2)
    desk.waits_until("2026-11-30 13:59")
    process = WorkerProcess(world.services, world.carrier)
    before = len(world.gateway.created())
    planned = [text for text in world.texts() if text.status == "planned"]
    back_at = at("2026-12-01 02:00")
    during = {text.step: text.id for text in planned if text.due_at < back_at}
    assert {"visit_24h_prep", "visit_48h", "daily_0_10"} <= during.keys()

    world.advance(hours=12, minutes=1)
    assert world.now == back_at
    while world.now < at("2026-12-01 09:00"):
        _tick(world, process)
        assert len(world.gateway.created()) == before, "nothing goes at night"
        world.advance(minutes=30)
    _tick(world, process)

    found = {step: world.message(each) for step, each in during.items()}
    ends = {step: (text.status, text.reason) for step, text in found.items()}
    assert ends["visit_48h"] == ("accepted", None), "still useful: at the window's opening"
    assert ends["visit_24h_prep"] == ends["daily_0_10"] == ("expired", "too_late")
    assert "instruction_not_delivered" in desk.calls()
    sent = [text.created_at for text in world.gateway.created()[before:]]
    assert {each.astimezone(NEW_YORK).strftime("%H:%M") for each in sent if each} == {"09:00"}
