"""From a row to the words a patient reads: variables, language, privacy lint, segments.

Rendering happens at the claim, so that a clinic's changed phone number or a moved visit is in the
text that goes out now (care rule 28). The zone a time is told in is care rule 30's.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from messages import formats, wording
from messages.errors import MessageError
from messages.lint import lint, without_digits
from messages.segments import count
from messages.templates import Catalog, TemplateKind
from schedules.clinic import ClinicFile
from schedules.clinic_parts import StopFooter
from schedules.telling import Telling
from worker import footer


class UnfitTextError(MessageError):
    """A rendered text says what a text must not say; the reason names the rule, not the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a text speaks of. `details` holds the visit's place and link."""

    clinic: ClinicFile
    now: datetime
    patient_zone: str | None = None
    starts_at: datetime | None = None
    virtual: bool = False
    #: By which route the dose of the visit is planned; None: nobody entered it.
    route: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    #: What one of several patients on a number picked; it stands before the text.
    tag: str | None = field(default=None, repr=False)
    #: Whether a text that we start ends with how to stop; a clinic's `always` stands above it.
    telling: Telling = Telling.NOT_YET

    @property
    def zone(self) -> ZoneInfo:
        """The zone its times are told in: the patient's own for a virtual visit only."""
        if self.virtual and self.patient_zone:
            return ZoneInfo(self.patient_zone)
        return ZoneInfo(self.clinic.timezone)

    @property
    def name_zone(self) -> bool:
        """Whether the zone is named: the patient's differs from the one the time is told in."""
        return self.patient_zone is not None and self.patient_zone != self.zone.key

    def visit(self) -> datetime:
        """Return the start of the visit this text speaks of."""
        if self.starts_at is None:
            raise UnfitTextError("a text without a visit asks for the visit's time")
        return self.starts_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The words, how many segments they are billed as, and whether they say STOP and the phone."""

    body: str = field(repr=False)
    segments: int
    language: str
    tells_stop: bool


@lru_cache(maxsize=1024)
def spoken_phone(number: str) -> str:
    """Return a number as people write it in its country, e.g. 212-555-0100."""
    parsed = phonenumbers.parse(number, None)
    if parsed.country_code == 1:
        digits = str(parsed.national_number)
        return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _fasting(subject: Subject, language: str, which: int) -> str:
    """Return when food (0) or fluids (1) end before this visit, by its route."""
    hours = subject.clinic.fasting.hours(subject.route)[which]
    return formats.clock_in(subject.visit() - timedelta(hours=hours), subject.zone, language)


def when(subject: Subject, language: str) -> str:
    """Return {when}: day and clock of the visit a text speaks of, in the zone of care rule 30."""
    return formats.when(
        subject.visit(), subject.zone, subject.now, language, name_zone=subject.name_zone
    )


def _time(subject: Subject, language: str) -> str:
    return formats.clock_in(subject.visit(), subject.zone, language, name_zone=subject.name_zone)


def _until(subject: Subject, language: str) -> str:
    opens = subject.clinic.attended().next_opening(subject.now)
    return formats.opening(opens, ZoneInfo(subject.clinic.timezone), subject.now, language)


def _window(subject: Subject, language: str) -> str:
    due = subject.clinic.attended().due("call_today", subject.now)
    return formats.call_window(due, ZoneInfo(subject.clinic.timezone), subject.now, language)


def _link(subject: Subject) -> str:
    """Return the form's address or the visit's; where there is none, the phone leads somewhere."""
    form = subject.clinic.forms.get(str(subject.params.get("form")))
    return str(form or subject.details.get("join_link") or spoken_phone(subject.clinic.phone))


# The variables that come from a visit's sealed details.
OF_DETAILS = frozenset({"place", "link"})

# Bare names only, each made when a template asks for it.
_VARIABLES: Mapping[str, Callable[[Subject, str], str]] = MappingProxyType(
    {
        "sms_name": lambda subject, _: subject.clinic.sms_name,
        "phone": lambda subject, _: spoken_phone(subject.clinic.phone),
        "time": _time,
        "when": when,
        "date": lambda subject, language: formats.date(
            subject.visit().astimezone(subject.zone).date(), language
        ),
        "food": lambda subject, language: _fasting(subject, language, 0),
        "liq": lambda subject, language: _fasting(subject, language, 1),
        # Without a place or a link a text still has to read well, and to lead somewhere.
        "place": lambda subject, _: str(subject.details.get("location") or subject.clinic.sms_name),
        "link": lambda subject, _: _link(subject),
        "until": _until,
        "window": _window,
    }
)


#: Care rule 11: what is asked instead while nobody is covered, without the offer of a call.
_WITHOUT_A_CALL = MappingProxyType(
    {"after_evening": "after_evening_closed", "after_morning": "after_morning_closed"}
)
#: An answer is to be expected within this time; as long somebody has to be there.
_ANSWERED_WITHIN = (timedelta(0), timedelta(hours=1), timedelta(hours=2))


def said_now(template: str, clinic: ClinicFile, now: datetime) -> str:
    """Return the wording that is true at this hour: a call is offered only where one can come."""
    closed = _WITHOUT_A_CALL.get(template)
    covered = all(clinic.is_covered(now + later) for later in _ANSWERED_WITHIN)
    return closed if closed and not covered else template


_FOR = {"en": "for", "es": "para"}


@lru_cache(maxsize=4096)
def _first_fault(body: str, language: str, template: str) -> str | None:
    findings = lint(body, language=language, template_key=template)
    return findings[0].rule if findings else None


def words_of(catalog: Catalog, clinic: ClinicFile) -> Catalog:
    """Return the texts of a clinic: the shipped ones, with its own wording where it has any."""
    if not clinic.wording:
        return catalog
    own = tuple((key, tuple(texts.items())) for key, texts in clinic.wording.items())
    return _spoken(catalog, own, tuple(usual_values(clinic).items()))


@lru_cache(maxsize=64)
def _spoken(
    catalog: Catalog,
    own: tuple[tuple[str, tuple[tuple[str, str], ...]], ...],
    values: tuple[tuple[str, str], ...],
) -> Catalog:
    """Judge a clinic's wording once, and not again for each of its texts."""
    return wording.spoken(catalog, {key: dict(texts) for key, texts in own}, dict(values))


def usual_values(clinic: ClinicFile) -> dict[str, str]:
    """Return what stands in any text of a clinic, so that lengths are those of what is sent."""
    values = {"sms_name": clinic.sms_name, "phone": spoken_phone(clinic.phone)}
    if clinic.forms:
        values["link"] = max(clinic.forms.values(), key=len)
    return values


def language_for(catalog: Catalog, template: str, wanted: str | None, clinic: ClinicFile) -> str:
    """Return the language a text is written in: the wanted one if it exists, else the clinic's."""
    known = catalog.languages(template)
    for language in (wanted, *clinic.languages):
        if language in known:
            return str(language)
    return "en"


def render(
    catalog: Catalog, template: str, wanted: str | None, subject: Subject, *, safety: bool = False
) -> Rendered:
    """Return the words of a text. Raises MessageError where they can't or must not be sent.

    A safety reply passes the lint: it is held back by nothing of ours (care rule 9).
    """
    catalog = words_of(catalog, subject.clinic)
    template = said_now(template, subject.clinic, subject.now)
    language = language_for(catalog, template, wanted, subject.clinic)
    variables = {}
    for name in catalog.variables(template):
        given = subject.params.get(name)
        variables[name] = str(given) if given is not None else _VARIABLES[name](subject, language)
    body = catalog.render(template, language, variables)
    if subject.tag:
        body = f"{_FOR.get(language, _FOR['en'])} {subject.tag}: {body}"
    phone = spoken_phone(subject.clinic.phone)
    if catalog.template(template).kind is TemplateKind.started:
        body = footer.told(body, phone, language, _telling(subject))
    rule = (
        None
        if safety
        else _first_fault(without_digits(body, language=language), language, template)
    )
    if rule is not None:
        raise UnfitTextError(f"{template} ({language}): {rule}")
    tells_stop = footer.tells(body, phone)
    return Rendered(
        body=body, segments=count(body).segments, language=language, tells_stop=tells_stop
    )


def _telling(subject: Subject) -> Telling:
    always = subject.clinic.stop_footer is StopFooter.ALWAYS
    return Telling.NOW if always else subject.telling


def details_of(sealed: str | None) -> dict[str, Any]:
    """Return a visit's details from their JSON."""
    return json.loads(sealed) if sealed else {}
