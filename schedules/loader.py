"""Reads protocol files: YAML to `Protocol`, or every fault of the file at once.

`aftercare protocols check`, publishing in the console and the shipped set all come through `load`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from schedules import phrases
from schedules.checks import check
from schedules.clinic_parts import UnknownPolicy
from schedules.errors import Fault, ProtocolError, YamlFileError
from schedules.followups import FollowUpReason
from schedules.protocol import (
    EXPECTS_FORM,
    EXPECTS_NOTHING,
    Alternative,
    Detachment,
    Duty,
    FollowUpRule,
    Importance,
    LateBooking,
    Moment,
    NotDeliveredRule,
    Nudge,
    Protocol,
    Purpose,
    StaysOn,
    Step,
    UnansweredRule,
    VisitFilter,
    Worse,
)
from schedules.sections import Section
from schedules.staffing import Severity
from schedules.terms import Terms
from schedules.terms import shipped as shipped_terms
from schedules.yamlfile import Located, parse

#: What each template needs: key -> the placeholders in its text.
Templates = Mapping[str, frozenset[str]]

VISIT_KINDS = ("assessment", "dosing", "integration", "followup")
SETTINGS = ("clinic", "home")
BY_HAND, WITH_CONSENT = "by hand", "with consent"

PROTOCOL_KEYS = (
    "id",
    "title",
    "for",
    "enroll",
    "substances",
    "gate",
    "purpose",
    "importance",
    "unknown",
    "detached",
    "steps",
    "tasks",
)
LEAD = "lead"
TASK_KEYS = ("id", "when", "only_if", "open", "severity", "for")
STEP_KEYS = (
    "id",
    "template",
    "when",
    "repeat",
    "again",
    "stays_on",
    "otherwise",
    "latest",
    "purpose",
    "importance",
    "expects",
    "worse",
    "answer_until",
    "form",
    "nudge",
    "pause_after",
    "only_if",
    "late_booking",
    "needs_staffed_hours",
    "unknown",
    "on_answer",
    "unanswered",
    "if_not_delivered",
)

_ID = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_EXPECTS = re.compile(
    r"appointment_reminder|yes_no|side_effect_check|craving_scale|none|scale:(\d{1,3})-(\d{1,3})"
)

#: Care rule 2: these become a call when they do not arrive, unless the file says otherwise.
BECOMES_A_CALL = frozenset({Importance.FOOD, Importance.RIDE})
UNPROVED_MINUTES, MISSES_AT_MOST = 60, 30
#: Written after `if_not_delivered:` to switch that default off.
NOTHING = "nothing"


def load(
    text: str,
    file: str,
    *,
    templates: Templates | None = None,
    terms: Terms | None = None,
    published: bool = False,
) -> Protocol:
    """Read one protocol.

    With `templates` each step's template must exist and ask only for variables the step can give.
    `terms` are the routes and substances that it may name: a clinic's, else the shipped ones.
    What was `published` was checked then: what is checked since stops nobody's texts.
    Raises `ProtocolError` with all faults of the file, in the order of its lines.
    """
    try:
        located = parse(text, file)
    except YamlFileError as error:
        raise ProtocolError(error.faults) from None
    faults: list[Fault] = []
    protocol = _protocol(located, faults)
    if protocol is not None and not published:
        faults += check(protocol, located, terms or shipped_terms(), templates)
    if faults or protocol is None:
        raise ProtocolError(faults)
    return protocol


def load_all(
    files: Mapping[str, str], *, templates: Templates | None = None
) -> dict[str, Protocol]:
    """Read several files (name -> text) into protocols by id.

    Raises `ProtocolError` with the faults of all files, an id used twice among them.
    """
    found: dict[str, Protocol] = {}
    origin: dict[str, str] = {}
    faults: list[Fault] = []
    for file, text in files.items():
        try:
            protocol = load(text, file, templates=templates)
        except ProtocolError as error:
            faults += error.faults
            continue
        if protocol.id in found:
            message = f"the id `{protocol.id}` is also used by {origin[protocol.id]}"
            faults.append(Fault(file=file, line=1, message=message, mend="Rename one of the two"))
        found[protocol.id], origin[protocol.id] = protocol, file
    if faults:
        raise ProtocolError(faults)
    return found


def shipped_files() -> dict[str, str]:
    """Give the texts of the protocols that come with the product, by file name."""
    folder = resources.files("schedules") / "protocols"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


@cache
def shipped() -> Mapping[str, Protocol]:
    """Give the protocols that come with the product, by id."""
    return MappingProxyType(load_all(shipped_files()))


def _protocol(located: Located, faults: list[Fault]) -> Protocol | None:
    if not isinstance(located.value, dict):
        mend = "Start with `id:`, `title:`, `for:` or `enroll:`, and `steps:`"
        faults.append(located.fault((), "this is not a protocol", mend))
        return None
    top = Section(file=located, path=(), what="protocol", values=located.value, faults=faults)
    top.only(PROTOCOL_KEYS)
    top.need("id", "title", "steps")
    protocol_id, title = _id(top), top.text("title")
    visits = _enrolls(top)
    defaults = _defaults(top)
    steps = tuple(_step(section, defaults) for section in top.sections("steps", "step"))
    duties = tuple(_duty(section) for section in top.sections("tasks", "task"))
    gate, substances = _id(top, "gate"), frozenset(top.phrases("substances", phrases.name))
    if "steps" in top.values and not steps:
        top.fault("steps", "there is no step", "Add at least one step")
    if faults or protocol_id is None or title is None:
        return None
    return Protocol(
        id=protocol_id,
        title=title,
        visits=visits,
        steps=tuple(step for step in steps if step is not None),
        duties=tuple(duty for duty in duties if duty is not None),
        gate=gate,
        substances=substances,
        detached=_detached(top),
        with_consent=top.values.get("enroll") == WITH_CONSENT,
    )


def _detached(top: Section) -> Detachment | None:
    """Read how long feeling detached is expected after a dose, and when a person looks again."""
    section = top.section("detached", "detached")
    if section is None:
        return None
    section.only(("within", "recheck"))
    section.need("within", "recheck")
    within = section.phrase("within", phrases.duration_minutes)
    recheck = section.phrase("recheck", phrases.duration_minutes)
    if within is None or recheck is None:
        return None
    return Detachment(within_minutes=within, recheck_minutes=recheck)


def _enrolls(top: Section) -> VisitFilter | None:
    """Read who is enrolled: the visits named by `for`, or people `by hand` or `with consent`."""
    by_hand = top.text("enroll")
    if by_hand not in (None, BY_HAND, WITH_CONSENT):
        mend = f"Write `enroll: {BY_HAND}` or `enroll: {WITH_CONSENT}`"
        top.fault("enroll", f"`{by_hand}` is no way to enroll", mend)
    if (by_hand is None) == (top.values.get("for") is None):
        top.fault(
            "enroll" if by_hand else None,
            "it must say whom it is for, once",
            "Write either `for: {visit: dosing}` or `enroll: by hand`",
        )
        return None
    visits = top.section("for", "for")
    if visits is None:
        return None
    visits.only(("visit", "routes", "setting"))
    visits.need("visit")
    return VisitFilter(
        kinds=_words(visits, "visit", VISIT_KINDS),
        routes=frozenset(visits.phrases("routes", phrases.name)),
        settings=_words(visits, "setting", SETTINGS),
    )


def _words(section: Section, key: str, known: tuple[str, ...]) -> frozenset[str]:
    """Read one word or a list of words out of a closed list."""

    def read(text: str) -> str:
        if text not in known:
            raise phrases.PhraseError(f"`{text}` is no {key}", f"Known are {', '.join(known)}")
        return text

    return frozenset(section.phrases(key, read))


def _id(section: Section, key: str = "id") -> str | None:
    text = section.text(key)
    if text is not None and not _ID.fullmatch(text):
        section.fault(
            key, f"`{text}` is no {key}", "Use small letters, digits, - and _, up to 64 characters"
        )
        return None
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Defaults:
    """What the protocol says once for all its steps."""

    purpose: Purpose | None
    importance: Importance | None
    unknown: UnknownPolicy | None
    #: Keys that were given, rightly or not: a wrong one is one fault, not one more a step.
    given: frozenset[str]


def _defaults(top: Section) -> _Defaults:
    return _Defaults(
        purpose=top.choice("purpose", Purpose),
        importance=top.choice("importance", Importance),
        unknown=top.choice("unknown", UnknownPolicy),
        given=frozenset(top.values),
    )


def _step(section: Section, defaults: _Defaults) -> Step | None:
    before = len(section.faults)
    step_id = _id(section)
    section.what = f"step `{step_id}`" if step_id else "step"
    section.only(STEP_KEYS)
    section.need("id", "template", "when", "latest")
    template = section.text("template")
    when, latest = section.phrase("when", phrases.moment), section.phrase("latest", phrases.moment)
    purpose = section.choice("purpose", Purpose) or defaults.purpose
    importance = section.choice("importance", Importance) or defaults.importance
    for key, value in (("purpose", purpose), ("importance", importance)):
        if value is None and key not in section.values.keys() | defaults.given:
            section.fault(None, f"`{key}` is missing", "Give it here or once for the protocol")
    hours = section.number("needs_staffed_hours", low=0, high=80)
    step = Step(
        id=step_id or "",
        template=template or "",
        when=when or _SOME_MOMENT,
        latest=latest or _SOME_MOMENT,
        purpose=purpose or Purpose.VISITS,
        importance=importance or Importance.VISIT,
        repeat=section.phrases("repeat", phrases.phase),
        again=section.phrase("again", phrases.again),
        stays_on=section.choice("stays_on", StaysOn),
        otherwise=_otherwise(section),
        expects=_expects(section),
        worse=section.choice("worse", Worse),
        answer_until=section.phrase("answer_until", phrases.moment),
        nudges=tuple(filter(None, map(_nudge, section.sections("nudge", "nudge")))),
        form=_id(section, "form"),
        pause_after=_whole(section.number("pause_after", low=1, high=MISSES_AT_MOST)),
        only_if=section.phrases("only_if", phrases.condition),
        late_booking=section.choice("late_booking", LateBooking) or LateBooking.SKIP,
        needs_staffed_minutes=round((hours or 0) * 60),
        unknown=section.choice("unknown", UnknownPolicy) or defaults.unknown,
        on_answer=tuple(filter(None, map(_on_answer, section.sections("on_answer", "on_answer")))),
        unanswered=tuple(
            filter(None, map(_unanswered, section.sections("unanswered", "unanswered")))
        ),
        if_not_delivered=_not_delivered(section, importance, latest),
    )
    return step if len(section.faults) == before else None


def _duty(section: Section) -> Duty | None:
    """Read what a person must do at a time."""
    duty_id = _id(section)
    section.what = f"task `{duty_id}`" if duty_id else "task"
    section.only(TASK_KEYS)
    section.need("id", "when", "open", "severity")
    when, only_if = (
        section.phrase("when", phrases.moment),
        section.phrases("only_if", phrases.condition),
    )
    reason, severity = _opens(section)
    for_lead = section.text("for")
    if for_lead not in (None, LEAD):
        section.fault("for", f"`{for_lead}` is nobody known here", f"Write `for: {LEAD}`")
    if duty_id is None or when is None or reason is None or severity is None:
        return None
    return Duty(
        id=duty_id,
        when=when,
        reason=reason,
        severity=severity,
        only_if=only_if,
        for_lead=for_lead == LEAD,
    )


#: Stands for a moment that was faulty, in a step that is thrown away for it.
_SOME_MOMENT = phrases.moment("at visit start")


def _otherwise(step: Section) -> Alternative | None:
    section = step.section("otherwise", f"{step.what}, otherwise")
    if section is None:
        return None
    section.only(("template", "when", "stays_on"))
    section.need("template", "when")
    template, when = section.text("template"), section.phrase("when", phrases.moment)
    stays_on = section.choice("stays_on", StaysOn)
    if template is None or when is None:
        return None
    return Alternative(template=template, when=when, stays_on=stays_on)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _nudge(section: Section) -> Nudge | None:
    section.only(("after", "template"))
    section.need("after", "template")
    after, template = section.phrase("after", phrases.duration_minutes), section.text("template")
    if after is None or template is None:
        return None
    return Nudge(after_minutes=after, template=template)


def _expects(step: Section) -> str:
    text = step.text("expects") or EXPECTS_NOTHING
    if step.values.get("form") is not None:
        if text != EXPECTS_NOTHING:
            step.fault("expects", "a form is answered on its page", "Leave `expects` out")
        return EXPECTS_FORM
    found = _EXPECTS.fullmatch(text)
    if found is None or (found[1] and int(found[1]) >= int(found[2])):
        step.fault(
            "expects",
            f"`{text}` is no answer that can be read",
            "Write appointment_reminder, yes_no, side_effect_check, craving_scale, none or "
            "scale:LOW-HIGH such as scale:0-10",
        )
    return text


def _on_answer(section: Section) -> FollowUpRule | None:
    section.only(("when", "open", "severity", "by"))
    section.need("when", "open", "severity")
    when, due = section.phrase("when", phrases.answer), section.phrase("by", phrases.moment)
    reason, severity = _opens(section)
    if when is None or reason is None or severity is None:
        return None
    return FollowUpRule(when=when, reason=reason, severity=severity, due=due)


def _unanswered(section: Section) -> UnansweredRule | None:
    section.only(("open", "severity", "misses", "at"))
    section.need("open", "severity")
    misses = section.number("misses", low=1, high=MISSES_AT_MOST)
    at = section.phrase("at", phrases.moment)
    reason, severity = _opens(section)
    if reason is None or severity is None:
        return None
    return UnansweredRule(reason=reason, severity=severity, misses=int(misses or 1), at=at)


def _not_delivered(
    step: Section, importance: Importance | None, latest: Moment | None
) -> NotDeliveredRule | None:
    """Read what a text that did not arrive opens; food and ride become a call by default."""
    if step.values.get("if_not_delivered") == NOTHING:
        return None
    section = step.section("if_not_delivered", f"{step.what}, if_not_delivered")
    if section is None:
        if latest is None or importance not in BECOMES_A_CALL:
            return None
        return NotDeliveredRule(
            reason=FollowUpReason.INSTRUCTION_NOT_DELIVERED,
            severity=Severity.CALL_TODAY,
            call_by=latest,
        )
    section.only(("open", "severity", "call_by", "unproved_minutes"))
    section.need("open", "severity", "call_by")
    call_by = section.phrase("call_by", phrases.moment)
    unproved = section.number("unproved_minutes", low=0, high=24 * 60)
    reason, severity = _opens(section)
    if call_by is None or reason is None or severity is None:
        return None
    minutes = UNPROVED_MINUTES if unproved is None else int(unproved)
    return NotDeliveredRule(
        reason=reason, severity=severity, call_by=call_by, unproved_minutes=minutes
    )


def _opens(section: Section) -> tuple[FollowUpReason | None, Severity | None]:
    """Read which follow-up opens, and how soon it needs a person."""
    return section.choice("open", FollowUpReason), section.choice("severity", Severity)
