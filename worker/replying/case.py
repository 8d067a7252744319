"""One received text while it is handled: who wrote, what was asked, and the two ways to end it.

Every text ends in a recorded answer, or in front of a person; both go through here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from messages import formats
from messages.detached import Detached, look
from messages.replies import Intent
from records import clinics, conversation, patients
from records.base import Session
from records.clinics import Clinic
from records.conversation import Prompt, Reply
from records.inbox import Inbound
from records.patients import Patient
from schedules import followup_rules
from schedules.clinic import ClinicFile
from schedules.followups import FollowUpReason, WantedFollowUp
from schedules.rechecks import rechecked
from schedules.staffing import PAGE_MINUTES_STAFFED, Severity, StaffedHours
from worker.opening import open_follow_ups
from worker.replying import answering, hearing, stopping
from worker.replying.doses import after_last_dose
from worker.replying.known import Known
from worker.services import Services

SAFETY = "safety"
_IN_ONE_GO = timedelta(minutes=15)
#: The earliest a text says somebody calls by.
_LEAST_NOTICE = timedelta(minutes=PAGE_MINUTES_STAFFED)
_PROMISED = frozenset({Severity.PAGE_NOW, Severity.CALL_TODAY})
_JUST_READ = frozenset({FollowUpReason.UNCLEAR_REPLY, FollowUpReason.UNKNOWN_NUMBER})


def number_id(blind: bytes) -> str:
    """Return the internal id under which items about a hashed number of nobody's alone join."""
    return f"number-{blind.hex()}"


@dataclass(kw_only=True, eq=False)
class Case:
    """What the handlers work with. `people` are all patients on the number, the oldest first."""

    session: Session = field(repr=False)
    services: Services = field(repr=False)
    clinic: Clinic
    inbound: Inbound
    people: list[Patient] = field(repr=False)
    now: datetime
    #: Whether each visit that the text gives up is held, with its own call: no other is asked for.
    visits_held: bool = False
    #: Whether it joined an item about danger: whoever has that reads what nobody understood.
    with_danger: bool = False
    known: Known = field(default_factory=Known, repr=False)
    #: Which steps to nudge once this is committed.
    nudges: set[tuple[str, str]] = field(default_factory=set)

    @cached_property
    def file(self) -> ClinicFile:
        """The clinic's settings."""
        return self.clinic.file

    @property
    def staffed(self) -> StaffedHours:
        """The clinic's staffed hours."""
        return self.file.staffed()

    @property
    def patient(self) -> Patient | None:
        """The one patient whose text this can be; None for a stranger's or a shared number.

        Of several on a number that is who gets texts there: no answer is that of a closed record,
        or of somebody who is only called. A stop and danger count for all (care rule 22).
        """
        counts_for_all = self.inbound.opt_change or hearing.SAFETY & set(self.intents)
        people = self.people if counts_for_all else self.texted or self.people
        return people[0] if len(people) == 1 else None

    @property
    def texted(self) -> list[Patient]:
        """Those on the number who get texts: no closed record, nobody who is only called."""
        return [each for each in self.people if each.status != "closed" and not each.calls_only]

    def person(self, patient_id: UUID) -> Patient:
        """Return one of those on the number, or whom a question was asked before it was another's.

        Whoever is on the number is read and locked already.
        """
        here = (each for each in self.people if each.id == patient_id)
        return next(here, None) or patients.by_id(self.session, patient_id)

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What the text says, the most urgent first."""
        return (Intent(self.inbound.intent or Intent.unclear), *map(Intent, self.inbound.also))

    @property
    def started(self) -> bool:
        """Whether the text is a START, whether or not it could lift a stop."""
        return self.inbound.opt_change in stopping.STARTS

    @property
    def needs_nobody(self) -> bool:
        """Whether it asks nothing of anybody: thanks and no more, read as such without a doubt."""
        return self.intents == (Intent.thanks_no_action,) and self.inbound.severity is None

    @cached_property
    def body(self) -> str:
        """The words received."""
        vault, row = self.services.vault, self.inbound
        return vault.open("inbound", "body", row.id, row.body)

    @cached_property
    def detached(self) -> Detached:
        """What the text tells of feeling detached; one that tells of danger is read as that."""
        return Detached.NOT if hearing.SAFETY & set(self.intents) else look(self.body)

    @property
    def alarmed(self) -> bool:
        """Whether the patient feels detached and is alone, frightened or confused (rule 12).

        Whoever writes from the phone of a patient who died is the lead's to call (rule 24).
        """
        person = self.patient
        lives = person is not None and not self.is_of_the_dead
        return lives and self.detached is Detached.ALARMED

    @property
    def is_closed(self) -> bool:
        """Whether nobody is on the number but closed records: of who died, of who has left."""
        return self.is_of_the_dead or self._only_closed

    @property
    def is_of_the_dead(self) -> bool:
        """Whether the number was that of a patient who died.

        It is, whoever else has it, until staff have spoken with them and taken the stop back.
        """
        if not any(person.is_deceased for person in self.people):
            return False
        stopped = None if self._only_closed else self._opt_out
        return self._only_closed or (stopped is not None and stopped.reason == patients.DECEASED)

    @property
    def _only_closed(self) -> bool:
        return bool(self.people) and all(each.status == "closed" for each in self.people)

    @cached_property
    def number(self) -> str:
        """The number that wrote (E.164), or a short code or word as the carrier gave it."""
        vault, row = self.services.vault, self.inbound
        return vault.open("inbound", "from_number", row.id, row.from_number)

    @cached_property
    def opt_out_type(self) -> str | None:
        """The carrier's own word on a stop, start or help, where it gives one."""
        vault, row = self.services.vault, self.inbound
        payload: dict[str, Any] = json.loads(vault.open("inbound", "payload", row.id, row.payload))
        return payload.get("OptOutType") or None

    @cached_property
    def prompt(self) -> Prompt | None:
        """The question this text was read as an answer to."""
        asked = self.inbound.prompt_message_id
        if asked is None:
            return None
        return self.known.prompts.get(asked) or conversation.prompt(self.session, asked)

    @cached_property
    def asked(self) -> tuple[list[Prompt], list[Prompt]]:
        """The questions around the time the text was received: unanswered, and just answered."""
        asked = self.known.around.get(self.inbound.id)
        if asked is None:
            reply = Reply(patients=[each.id for each in self.people], at=self.inbound.received_at)
            [asked] = conversation.prompts(self.session, [reply])
        return hearing.open_prompts(asked)

    @property
    def open_prompts(self) -> list[Prompt]:
        """The unanswered questions at the time the text was received."""
        return self.asked[0]

    @property
    def sender_id(self) -> UUID:
        """What the clinic texts from now."""
        senders = self.known.senders
        if self.clinic.id not in senders:
            senders[self.clinic.id] = clinics.active_sender(self.session, self.clinic.id).id
        return senders[self.clinic.id]

    @property
    def closed_to_answers(self) -> bool:
        """Whether this number stopped, so that nothing but safety may be answered."""
        return self._opt_out is not None

    @property
    def stopped_by_keyword(self) -> bool:
        """Whether this number stopped by a keyword, which a START takes back."""
        stopped = self._opt_out
        return stopped is not None and stopped.reason == stopping.StopReason.KEYWORD.value

    @property
    def _opt_out(self) -> patients.OptOut | None:
        return patients.opted_out(
            self.session, clinic_id=self.clinic.id, blind=self.inbound.from_blind
        )

    def answer(self, template: str, *, after_stop: bool = False, **params: str) -> bool:
        """Queue an answer unless the number stopped or has had its share; say whether it goes.

        A safety wording passes both. `after_stop` is for the one confirmation of a stop, which goes
        soon after it or not at all.
        """
        if self.services.catalog.template(template).kind.value == SAFETY:
            return self.safety_answer(template, **params)
        if after_stop:
            until = self.inbound.received_at + answering.AFTER_STOP
            return until > self.now and self._queue(template, "answer", params, latest_at=until)
        if self.closed_to_answers:
            return False
        if not answering.may_answer(self.session, self.services, self.inbound):
            return False
        return self._queue(template, "answer", params)

    def safety_answer(self, template: str, **params: str) -> bool:
        """Queue an answer that nothing of ours holds back."""
        return self._queue(template, SAFETY, params)

    def _queue(
        self, template: str, kind: str, params: dict[str, str], *, latest_at: datetime | None = None
    ) -> bool:
        if not self.number.startswith("+"):
            # A short code or a carrier's word can't be texted, and is some company's robot.
            return False
        row_id = answering.queue_answer(
            self.session,
            self.services,
            clinic=self.clinic,
            patient_id=self.patient.id if self.patient else None,
            inbound=self.inbound,
            template=template,
            kind=kind,
            priority=answering.SAFETY_PRIORITY if kind == SAFETY else answering.ANSWER_PRIORITY,
            params=params,
            language=self.language(kind),
            sender_id=self.sender_id,
            latest_at=latest_at,
        )
        if row_id is None:
            return False
        self.nudges.add(("safety" if kind == SAFETY else "send", str(self.sender_id)))
        return True

    def answered_with(self, template: str, *, within: timedelta) -> bool:
        """Return whether this number was sent this answer within that time."""
        return answering.answered_with(
            self.session, self.services, self.inbound, template, within=within
        )

    def answered_to_danger(self, *templates: str) -> bool:
        """Return whether danger was answered so less than 15 min ago, and that may have arrived."""
        return any(
            answering.answered_with(
                self.session,
                self.services,
                self.inbound,
                each,
                within=answering.SAFETY_AGAIN,
                safety=True,
            )
            for each in templates
        )

    def language(self, kind: str = "answer") -> str:
        """Return the language to answer in: safety speaks the text's own (care rule 23)."""
        heard = self.inbound.language or self.file.languages[0]
        return self.patient.language if self.patient and kind != SAFETY else heard

    @property
    def subject(self) -> str:
        """The internal id under which items about this text join: the patient's, or the number's.

        The number is hashed; two people on one number share its id until `open` parts them.
        """
        return str(self.patient.id) if self.patient else self._number_id

    @property
    def _number_id(self) -> str:
        return number_id(self.inbound.from_blind)

    def want(
        self,
        reason: FollowUpReason,
        *,
        about: str = "",
        severity: Severity | None = None,
        before: datetime | None = None,
    ) -> WantedFollowUp:
        """Return a wanted follow-up with the clinic's clocks."""
        return followup_rules.wanted(
            reason,
            now=self.now,
            staffed=self.staffed,
            about=about or self.subject,
            severity=severity,
            before=before,
        )

    def read_as(self, *, bound: bool, keyword: str | None = None) -> tuple[WantedFollowUp, ...]:
        """Return what the reading by itself asks for (`followup_rules.for_reading`)."""
        row = self.inbound
        wanted = followup_rules.for_reading(
            str(row.intent),
            row.severity,
            row.value,
            now=self.now,
            staffed=self.staffed,
            about=self.subject,
            prompt_open=bound or self.visits_held,
            # A start is confirmed or asked about by itself; a wish for one is for a person.
            also=[each for each in row.also if each != "start" or not self.started],
            keyword=keyword,
            before=self._next_start,
        )
        return self._rechecked(wanted)

    @property
    def _next_start(self) -> datetime | None:
        """When the next visit starts that they were asked about, if one does."""
        starts = (each.starts_at for each in (*self.asked[0], *self.asked[1]))
        return min((start for start in starts if start and start > self.now), default=None)

    def _rechecked(self, wanted: tuple[WantedFollowUp, ...]) -> tuple[WantedFollowUp, ...]:
        """Soften or sharpen what a text that tells of feeling detached asks for (care rule 12)."""
        if self.detached is Detached.NOT or self.patient is None:
            return wanted
        rule, left_at = after_last_dose(self.session, self.patient)
        return rechecked(
            wanted,
            rule,
            alarmed=self.alarmed,
            checked_out_at=left_at,
            now=self.now,
            staffed=self.staffed,
            about=self.subject,
        )

    def open(self, *wanted: WantedFollowUp) -> None:
        """Put items before a person: for everybody on the number, or for the number itself."""
        opened: list[UUID] = []
        wanted = tuple(one for one in wanted if not self._is_seen(one))
        if self.patient is not None:
            opened = self._open(self.patient.id, wanted)
        elif self.people:
            for person in self.people:
                opened += self._open(person.id, [self._of(one, person) for one in wanted])
        else:
            opened = self._open(None, wanted)
        if opened and self.inbound.follow_up_id is None:
            self.inbound.follow_up_id = opened[0]
        known = {self.inbound.follow_up_id, *self.inbound.other_follow_ups}
        more = [each for each in opened if each not in known] if len(self.people) > 1 else []
        if more:
            self.inbound.other_follow_ups = [*self.inbound.other_follow_ups, *more]

    def _is_seen(self, one: WantedFollowUp) -> bool:
        return self.with_danger and one.reason in _JUST_READ and one.severity not in _PROMISED

    def _open(self, person_id: UUID | None, wanted: Sequence[WantedFollowUp]) -> list[UUID]:
        return open_follow_ups(
            self.session,
            self.clinic.id,
            person_id,
            wanted,
            source_kind="inbound",
            source_id=self.inbound.id,
            now=self.now,
        )

    def _of(self, wanted: WantedFollowUp, person: Patient) -> WantedFollowUp:
        """Return the item that one of several people on a number gets of the same text.

        It joins what is open about them since they had the number alone, or will when they do.
        """
        own = wanted.cause.replace(self._number_id, str(person.id))
        return replace(wanted, cause=own if own != wanted.cause else f"{own}:{person.id}")

    def promise(self, template: str, wanted: Sequence[WantedFollowUp]) -> None:
        """Answer with a text that names a call, if somebody will be there to make it (rule 11)."""
        calls = [one for one in wanted if one.severity in _PROMISED]
        if not calls:
            return
        due = min(one.due_at for one in calls)
        if self.file.is_covered(self.now) and self.file.is_covered(due):
            self.answer(template, window=self.window(self._named(due)))
        else:
            self.acknowledge()

    def _named(self, due: datetime) -> datetime:
        """Return by when a text says that somebody calls: no time that is as good as over.

        What is due in a minute is called for at once all the same. No later than work ends, unless
        that is as near.
        """
        soonest = self.now + _LEAST_NOTICE
        return max(due, soonest) if self.file.is_covered(soonest) else due

    def acknowledge(self) -> None:
        """Say that nobody reads this now, when that is so; while somebody is there they answer.

        Once for what is written in one go: the few answers an hour are kept for what needs them.
        """
        if self.with_danger or self.file.attended().is_staffed(self.now):
            return
        if not self.answered_with("after_hours_ack", within=_IN_ONE_GO):
            self.answer("after_hours_ack")

    def window(self, due: datetime, kind: str = "answer") -> str:
        """Return {window} for a call due then, in the clinic's clock and an answer's language."""
        zone = ZoneInfo(self.file.timezone)
        return formats.call_window(due, zone, self.now, self.language(kind))

    def until(self, *, language: str) -> str:
        """Return {until}: when somebody will surely have read this."""
        zone = ZoneInfo(self.file.timezone)
        attended = self.file.attended()
        reads = attended.next_opening(self.now)
        if attended.is_staffed(self.now):
            reads = attended.due(Severity.PAGE_NOW, self.now)
        return formats.opening(reads, zone, self.now, language)
