"""A machine that lives a clinic's year: items open by any cause, and people do anything with them.

The steps are the product's, on a real PostgreSQL, with a clock that jumps by minutes or by weeks.
After each thing that happens all that is due is done, and then what care rules 10, 13 and 24 say
of items is held against the rows, and against a short memory of who is in danger.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from records.clinics import Staff
from records.followups import FollowUp
from schedules.facts import Dose, VisitStatus
from schedules.followups import SAFETY
from tests.support.databases import Databases
from tests.support.world import World, phone_of
from tests.worker.desk import HEADER, NEW_YORK
from tests.worker.duty import CRISIS, KIM, SAM, Duty
from worker.refusal import RefusedError
from worker.steps import checkins, closing, events, followups, people, visits
from worker.steps import followup_actions as actions
from worker.steps import staff as staff_step
from worker.steps.followup_actions import FollowUpActionError
from worker.steps.people import Reason

PAT = "+12125550195"
_NOBODY: dict[str, Any] = {"on_call": [], "after_hours": "none"}
FILES: dict[str, dict[str, Any]] = {
    "on call": {},
    "a caller for closed days": {
        **_NOBODY,
        "closed_day_caller": {"name": "Pat", "phone": PAT, "email": "pat@clinic.test"},
    },
    "the lead": _NOBODY,
    "nobody at all": {**_NOBODY, "lead": None},
}
#: Who signs in, and as what; the lead is among them, and Ann may only look.
ROLES = {
    "sam@clinic.test": "coordinator",
    "kim@clinic.test": "admin",
    "doc@clinic.test": "clinician",
    "ann@clinic.test": "viewer",
}
MAY_END_SAFETY = frozenset({"clinician"})
STRANGER = "+12125550177"
WRITERS = (phone_of(0), phone_of(1), STRANGER)
WORDS = (
    "call me",
    CRISIS,
    "i took too many pills",
    "he hit me and i am scared to go home",
    "can I bring my dog?",
    "I relapsed, I used last night",
    "R",
    "STOP",
    "START",
    "PAUSE",
    "wrong number",
    "8",
)
#: The longest that an item may wait: put off for 30 days, into a closure.
LONGEST_WAIT = timedelta(days=38)
_TURNS = 12

staff_members = st.sampled_from(sorted(ROLES))
which = st.integers(0, 4)


class YearOfItems(RuleBasedStateMachine):
    """One clinic with two patients, four people who sign in, and whatever a year brings."""

    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self._own = self.databases.migrated()
        self.world = World(self._own.__enter__().url)
        self.world.publish_protocols()
        self.duty = Duty(world=self.world)
        self.duty.__enter__()
        self.in_danger: set[UUID] = set()
        self.visits = 0

    def teardown(self) -> None:
        self.duty.__exit__()
        self.world.__exit__()
        self._own.__exit__(None, None, None)

    @initialize(file=st.sampled_from(sorted(FILES)))
    def opens(self, file: str) -> None:
        self.duty.file(**FILES[file])
        self.patients = [self.world.admit(), self.world.admit()]
        for email, role in ROLES.items():
            self.duty.staff(email, role)
        visits.enroll(self.world.services, self.patients[0], "daily-check-in", actor="desk")
        self._goes_on()

    # --- what happens ---

    @rule(minutes=st.sampled_from([1, 7, 31, 240, 1440, 10_080, 20_000]))
    def time_passes(self, minutes: int) -> None:
        self.world.advance(minutes=minutes)
        self._goes_on()

    @rule(phone=st.sampled_from(WRITERS), words=st.sampled_from(WORDS))
    def somebody_writes(self, phone: str, words: str) -> None:
        row = self.duty.talk.says(words, phone=phone)
        if row.urgent and row.follow_up_id is not None:
            self.in_danger.add(row.follow_up_id)
        self._goes_on()

    @rule(phone=st.sampled_from(WRITERS))
    def somebody_is_in_danger(self, phone: str) -> None:
        self.somebody_writes(phone, CRISIS)

    @rule(phone=st.sampled_from([SAM, KIM, PAT]), words=st.sampled_from(["1", "2", "take", "ok"]))
    def staff_answer_by_text(self, phone: str, words: str) -> None:
        self.duty.talk.says(words, phone=phone)
        self._goes_on()

    @rule(
        who=st.integers(0, 1),
        hours=st.sampled_from([3, 20, 50, 200]),
        status=st.sampled_from(["booked", "cancelled"]),
        first=st.booleans(),
    )
    def a_file_of_visits_comes(self, who: int, hours: int, status: str, first: bool) -> None:
        """Book a visit, or move or cancel the last one."""
        self.visits += first or not self.visits
        starts = (self.world.now + timedelta(hours=hours)).astimezone(NEW_YORK)
        ends = starts + timedelta(hours=2)
        form = "%Y-%m-%dT%H:%M"
        line = f"A{self.visits},P{who},dosing,iv,{starts:{form}},{ends:{form}},{status},Suite 4"
        visits.import_appointments(
            self.world.services, f"{HEADER}\n{line}\n".encode(), actor="desk"
        )
        self._goes_on()

    @rule(
        which=which,
        what=st.sampled_from([VisitStatus.ARRIVED, VisitStatus.CHECKED_OUT, VisitStatus.NO_SHOW]),
    )
    def a_visit_is_recorded(self, which: int, what: VisitStatus) -> None:
        rows = self.world.execute("SELECT id FROM appointment ORDER BY id")
        dose = Dose.GIVEN if what is VisitStatus.CHECKED_OUT else None
        if rows:
            with suppress(RefusedError):
                visit_id = rows[which % len(rows)].id
                events.record_event(self.world.services, visit_id, what, actor="desk", dose=dose)
        self._goes_on()

    # --- what people do with items ---

    @rule(which=which, by=staff_members)
    def is_taken(self, which: int, by: str) -> None:
        self._acts(which, by, actions.take)

    @rule(which=which, by=staff_members, to=staff_members)
    def is_handed_over(self, which: int, by: str, to: str) -> None:
        self._acts(which, by, actions.assign, email=to)

    @rule(which=which, by=staff_members, minutes=st.sampled_from([5, 25, 31, 600, 5000, 43_000]))
    def is_put_off(self, which: int, by: str, minutes: int) -> None:
        until = self.world.now + timedelta(minutes=minutes)
        self._acts(which, by, actions.snooze, until=until)

    @rule(which=which, by=staff_members, outcome=st.sampled_from(["misread", "handled"]))
    def is_ended(self, which: int, by: str, outcome: str) -> None:
        item = self._acts(which, by, actions.resolve, outcome=outcome)
        if item is not None and ROLES[by] in MAY_END_SAFETY:
            self.in_danger.discard(item)

    @rule(by=st.sampled_from(["sam@clinic.test", "doc@clinic.test"]))
    def the_first_is_ended(self, by: str) -> None:
        """What stands on top of the list, by a coordinator or a clinician."""
        self.is_ended(0, by, "misread")

    def _acts(self, which: int, by: str, act: Any, **more: Any) -> UUID | None:
        """Have somebody act on an open item; return it if that was let happen."""
        # What can't wait stands first, as in the work list.
        items = sorted(self._open(), key=lambda one: (one.severity != "page_now", one.opened_at))
        done = None
        if items:
            item = items[which % len(items)]
            with suppress(FollowUpActionError):
                actor = actions.actor_by_email(self.world.services, by, item.id)
                act(self.world.services, item.id, actor=actor, **more)
                done = item.id
        self._ticks()
        return done

    # --- who comes and goes ---

    @rule(email=staff_members, days=st.integers(0, 2), lasts=st.sampled_from([0, 3, 30]))
    def somebody_is_away(self, email: str, days: int, lasts: int) -> None:
        first = self.world.now.astimezone(NEW_YORK).date() + timedelta(days=days)
        last = first + timedelta(days=lasts)
        with suppress(RefusedError):
            staff_step.away(self.world.services, email=email, first=first, last=last, actor="t")
        self._ticks()

    @rule(email=staff_members)
    def access_ends(self, email: str) -> None:
        with suppress(RefusedError):
            staff_step.disable(self.world.services, email=email, actor="test")
        self._ticks()

    @rule(email=staff_members)
    def access_is_given_back(self, email: str) -> None:
        self.world.execute("UPDATE staff SET disabled_at = NULL WHERE email = :email", email=email)
        self._ticks()

    @rule(who=st.integers(0, 1), reason=st.sampled_from(sorted(Reason)), days=st.integers(0, 2))
    def a_patient_is_held(self, who: int, reason: Reason, days: int) -> None:
        until = self.world.now + timedelta(days=days) if days else None
        with suppress(RefusedError):
            people.hold(
                self.world.services, self.patients[who], reason=reason, until=until, actor="desk"
            )
        self._goes_on()

    @rule(who=st.integers(0, 1), reason=st.sampled_from(sorted(Reason)))
    def a_record_is_closed(self, who: int, reason: Reason) -> None:
        with suppress(RefusedError):
            people.close(self.world.services, self.patients[who], reason=reason, actor="desk")
        self._goes_on()

    @rule(who=st.integers(0, 1))
    def a_record_is_opened_again(self, who: int) -> None:
        people.resume(self.world.services, self.patients[who], actor="desk")
        self._goes_on()

    @rule(who=st.integers(0, 1), status=st.sampled_from(["discharged", "deceased", "active"]))
    def a_file_of_patients_comes(self, who: int, status: str) -> None:
        """Close a record by an import, or let it stand."""
        file = (
            "patient_id,clinic,first_name,phone,language,timezone,consent_method,consented_at,"
            "consent_purposes,status\n"
            f"P{who},riverside,Robin,{phone_of(who)},en,America/New_York,written,"
            f"2026-11-01T09:00:00-05:00,visits;check_ins,{status}\n"
        )
        people.import_patients(self.world.services, file.encode(), actor="desk")
        self._goes_on()

    @rule(days=st.integers(0, 3))
    def the_clinic_closes_for_a_day(self, days: int) -> None:
        world = self.world
        day = world.now.astimezone(NEW_YORK).date() + timedelta(days=days)
        done = closing.close_day(world.services, world.clinic_id, day=day, actor="desk")
        for visit_id in done.visits:
            events.record_event(world.services, visit_id, VisitStatus.CANCELLED, actor="desk")
        self._goes_on()

    def _goes_on(self) -> None:
        """Do what the worker would do at this instant."""
        self.world.plan()
        self.world.send()
        self.duty.talk.delivered()
        for step in (followups.run, followups.ask_about_visits, checkins.run, checkins.silences):
            step(self.world.services)
        self._ticks()

    def _ticks(self) -> None:
        """Do what is due of items and pages, until nothing is."""
        staff_step.return_items_of_absent(self.world.services)
        self.duty.rounds()
        for _ in range(_TURNS):
            if all(item.climbs_at and item.climbs_at > self.world.now for item in self._open()):
                return
            self.duty.tick()

    # --- what holds at any time ---

    def _open(self) -> list[FollowUp]:
        return [row for row in self.duty.talk.rows(FollowUp) if row.status != "resolved"]

    @invariant()
    def every_open_item_has_a_clock(self) -> None:
        """It lies ahead, and not for longer than somebody may put it off."""
        now = self.world.now
        for item in self.duty.talk.rows(FollowUp):
            if item.status == "resolved":
                assert item.climbs_at is None, item.reason
            else:
                assert item.climbs_at is not None, item.reason
                assert now < item.climbs_at < now + LONGEST_WAIT, (item.reason, item.climbs_at)

    @invariant()
    def every_open_item_has_an_owner(self) -> None:
        """Somebody who may act, or else it stands in everybody's list, waiting to be taken."""
        able = self._who_may_act()
        for item in self._open():
            assert item.owner_id is None or item.owner_id in able, item.reason
            if item.status == "acknowledged":
                assert item.owner_id or item.taken_by, item.reason
            else:
                assert item.status == "open", item.status

    def _who_may_act(self) -> Collection[UUID]:
        members = self.duty.talk.rows(Staff)
        return {one.id for one in members if one.disabled_at is None and one.role != "viewer"}

    @invariant()
    def a_page_has_called_somebody(self) -> None:
        """What can't wait, and that nobody has, has paged whoever there is."""
        for item in self._open():
            if item.severity == "page_now" and item.run_acknowledged_at is None and item.rung:
                paged = self.world.execute(
                    "SELECT 1 FROM page WHERE follow_up_id = :item", item=item.id
                )
                assert paged or not self._somebody_can_be_paged(), item.reason

    def _somebody_can_be_paged(self) -> bool:
        [clinic] = self.world.execute("SELECT settings FROM clinic")
        named = clinic.settings.get("on_call") or clinic.settings.get("lead")
        return bool(named) and bool(self._who_may_act())

    @invariant()
    def only_a_clinician_ends_a_crisis(self) -> None:
        """Whoever was in danger has an open item until one does; nothing else ends it."""
        rows = {row.id: row for row in self.duty.talk.rows(FollowUp)}
        for item_id in self.in_danger:
            assert rows[item_id].status != "resolved", (rows[item_id].reason, "ended by itself")
        ended = self.world.execute(
            "SELECT f.reason, e.actor FROM follow_up f JOIN follow_up_event e"
            " ON e.follow_up_id = f.id AND e.action = 'resolved' WHERE f.status = 'resolved'"
        )
        decides = {
            f"staff:{one.id}" for one in self.duty.talk.rows(Staff) if one.role in MAY_END_SAFETY
        }
        for each in ended:
            assert each.reason not in SAFETY or each.actor in decides, each

    @invariant()
    def one_open_item_a_cause(self) -> None:
        """Whatever joins, joins; and nobody has two open items of danger."""
        causes = [item.cause for item in self._open()]
        assert len(causes) == len(set(causes)), causes
        danger = [item.patient_id for item in self._open() if item.cause.startswith("safety:")]
        known = [patient for patient in danger if patient is not None]
        assert len(known) == len(set(known)), danger
