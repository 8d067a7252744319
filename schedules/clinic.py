"""What a clinic says about itself in `clinic.yaml`, read with every fault named.

`aftercare clinic apply` reads the file with `read_clinic`, records store `to_json()` of it, and
planning, sending and follow-ups ask the stored object for its window, its hours and its people.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from schedules import clinic_cover, terms
from schedules.absences import Absences, Span
from schedules.clinic_faults import faults_of
from schedules.clinic_fields import (
    Line,
    Link,
    Name,
    Phone,
    Reason,
    Words,
    Zone,
    wrong,
)
from schedules.clinic_parts import (
    SHORTEST_GRACE_SECONDS,
    AfterHours,
    Caps,
    Contact,
    DetailLevel,
    Fasting,
    Holidays,
    OnCall,
    OptoutHandledBy,
    Part,
    RouteTerm,
    Sender,
    SendHours,
    StopFooter,
    SubstanceTerm,
    Term,
    Unknown,
    UnknownPolicy,
    Week,
    not_empty,
    too_wide,
)
from schedules.errors import ClinicFileError, Fault, YamlFileError
from schedules.staffing import StaffedHours
from schedules.windows import SendWindow
from schedules.yamlfile import Located, parse

__all__ = [
    "AfterHours",
    "ClinicFile",
    "Contact",
    "DetailLevel",
    "OptoutHandledBy",
    "UnknownPolicy",
    "Week",
    "read_clinic",
]

# A phone shows a long sender name cut, and it eats into every text's 160 letters.
SMS_NAME_LENGTH = 24


def read_clinic(text: str, file: str, *, sandbox: bool = False) -> "ClinicFile":
    """Read a clinic file. `file` is the name that faults show.

    `sandbox` admits what only rehearsals need: a wait of under 120 s for an unknown text, and
    texts at any hour. Raises ClinicFileError with every fault, each with its line and its mend.
    """
    try:
        located = parse(text, file)
    except YamlFileError as error:
        raise ClinicFileError(error.faults) from None
    try:
        read = ClinicFile.model_validate(located.value, context={"sandbox": sandbox})
    except ValidationError as error:
        raise ClinicFileError(faults_of(error, located, ClinicFile)) from None
    if unsafe := [*clinic_cover.faults(read, located), *_unknown_routes(read, located)]:
        raise ClinicFileError(unsafe)
    return read


def _unknown_routes(read: "ClinicFile", located: Located) -> Iterator[Fault]:
    """Find fasting hours of a route that there is not: a typo would leave the usual hours."""
    known = read.terms.route_names
    for name in read.fasting.routes:
        if name not in known:
            mend = f"Known are {', '.join(known)}; add your own under routes"
            yield located.fault(("fasting", "routes", name), f'"{name}" is no route', mend)


class ClinicFile(Part):
    """A whole clinic file. Frozen; compare two to see what an apply changes."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    name: Name
    sms_name: Annotated[
        str, Field(min_length=1, max_length=SMS_NAME_LENGTH, pattern=r"^\S(.*\S)?$")
    ]
    phone: Phone
    timezone: Zone
    languages: tuple[Literal["en", "es"], ...] = ("en",)
    send_window: SendHours = SendHours()
    staffed_hours: Week
    holidays: Holidays = Holidays()
    sender: Sender
    caps: Caps = Caps()
    fasting: Fasting = Fasting()
    on_call: tuple[OnCall, ...] = ()
    lead: Contact | None = None
    after_hours: AfterHours = Field(default=AfterHours.NONE)
    #: Who phones about a silence that is urgent on closed days, where nobody is on call.
    closed_day_caller: Contact | None = None
    optout_handled_by: OptoutHandledBy = OptoutHandledBy.TWILIO
    unknown: Unknown = Unknown()
    detail_level: DetailLevel = DetailLevel.L0
    stop_footer: StopFooter = StopFooter.MONTHLY
    #: Whether an imported consent counts only where the risk of plain texts was acknowledged.
    require_sms_risk_ack: bool = False
    segment_price: Annotated[float, Field(ge=0, le=10)] | None = None  # US dollars, for forecasts.
    protocols: tuple[Name, ...] = ()
    #: What a gated protocol asks to be settled first: its gate, and who answers for it.
    gates: dict[str, Name] = Field(default_factory=dict)
    #: Routes and substances beside the shipped ones, by name (`schedules.terms`).
    routes: dict[Term, RouteTerm] = Field(default_factory=dict)
    substances: dict[Term, SubstanceTerm] = Field(default_factory=dict)
    #: Phrases of the clinic's own: by language, category of the word lists, and part (say, exact).
    words: dict[Literal["en", "es"], dict[Name, dict[Name, tuple[str, ...]]]] = Field(
        default_factory=dict
    )
    #: Texts in the clinic's own words: by the template's key and language (docs/wording.md).
    wording: dict[Name, dict[Literal["en", "es"], Words]] = Field(default_factory=dict)
    #: Where a protocol's forms are filled in: the form's key, and its address.
    forms: dict[str, Link] = Field(default_factory=dict)
    #: What whoever takes an item does first, by its reason: the clinic's own words (care rule 15).
    playbook: dict[Reason, tuple[Line, ...]] = Field(default_factory=dict)
    #: Who is away: no part of the file, and known only where it comes from the records.
    _absences: Absences = PrivateAttr(default=Absences())
    _nobody: tuple[Span, ...] = PrivateAttr(default=())

    @field_validator("languages", "protocols")
    @classmethod
    def _each_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for number, value in enumerate(values):
            if value in values[:number]:
                raise wrong(f'"{value}" stands here twice', "Keep one of the two")
        return values

    @field_validator("languages")
    @classmethod
    def _some_language(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if not languages:
            raise wrong("no language is named", "Write languages: [en], or [en, es]")
        return languages

    @field_validator("staffed_hours")
    @classmethod
    def _some_hours(cls, week: Week) -> Week:
        return not_empty(week, "no hour of the week is staffed, so that nobody would read a reply")

    @field_validator("after_hours")
    @classmethod
    def _somebody_on_call(cls, after_hours: AfterHours, info: ValidationInfo) -> AfterHours:
        if after_hours is AfterHours.ON_CALL and info.data.get("on_call") == ():
            raise wrong(
                "on_call needs somebody who takes pages",
                "Add a person under on_call, or write after_hours: none",
            )
        if after_hours is AfterHours.ON_CALL and info.data.get("lead", ...) is None:
            raise wrong(
                "on_call needs a lead, for the pages that nobody takes",
                "Add lead: {name: ..., phone: ..., email: ...}",
            )
        return after_hours

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def heard_numbers(self) -> frozenset[str]:
        """Every number whose texts are read: those in use and the previous ones (care rule 28)."""
        return frozenset(self.sender.numbers) | frozenset(self.sender.previous)

    @property
    def needs_sandbox(self) -> bool:
        """Whether the file says something that only sandbox mode takes."""
        wide = too_wide(self.send_window.opens, self.send_window.closes)
        return wide or self.unknown.grace_seconds < SHORTEST_GRACE_SECONDS

    @property
    def terms(self) -> terms.Terms:
        """The routes and substances that this clinic knows."""
        known = terms.shipped()
        if not self.routes and not self.substances:
            return known
        return known.extended(
            {name: dict(said) for name, said in self.routes.items()},
            {name: dict(said) for name, said in self.substances.items()},
        )

    def window(self) -> SendWindow:
        """Give the send window, to be judged in the patient's zone."""
        return SendWindow(opens=self.send_window.opens, closes=self.send_window.closes)

    def staffed(self) -> StaffedHours:
        """Give the staffed hours; equal files share one object and its cache of days.

        By these items fall due and the ladder runs, whoever is away.
        """
        on_call = self.after_hours is AfterHours.ON_CALL
        return _staffed(self.staffed_hours, self.holidays, self.timezone, on_call=on_call)

    def attended(self) -> StaffedHours:
        """Give the staffed hours less those in which everybody is away: what texts promise by."""
        if not self._nobody:
            return self.staffed()
        on_call = self.after_hours is AfterHours.ON_CALL
        return _staffed(
            self.staffed_hours, self.holidays, self.timezone, on_call=on_call, nobody=self._nobody
        )

    def with_absences(self, absences: Absences) -> Self:
        """Return the same file, judged with who is away.

        Whoever is on the ladder for staffed hours counts among those who may be there.
        """
        by_day = [one for one in self.on_call if one.hours != "after_hours"]
        at_work = {one.key for one in (*by_day, *([self.lead] if self.lead else []))}
        known = self.model_copy()
        known._absences, known._nobody = absences, absences.nobody(at_work)  # noqa: SLF001
        return known

    def on_call_at(self, at: datetime) -> tuple[OnCall, ...]:
        """Name those whom a page reaches at this instant, in the order of the file."""
        return tuple(
            person
            for person in self.on_call
            if self._takes_pages(person, at) and not self._absences.is_out(person.key, at)
        )

    def is_covered(self, at: datetime) -> bool:
        """Whether a call can be offered or promised at this instant (care rule 11)."""
        on_call = self.after_hours is AfterHours.ON_CALL
        return self.attended().is_staffed(at) or (on_call and bool(self.on_call_at(at)))

    def _takes_pages(self, person: OnCall, at: datetime) -> bool:
        if person.weeks is not None and not person.weeks.holds(at.astimezone(self.zone)):
            return False
        if isinstance(person.hours, Week):
            return _staffed(person.hours, Holidays(), self.timezone, on_call=True).is_staffed(at)
        return person.hours == "always" or not self.staffed().is_staffed(at)

    def own_texts(self) -> dict[str, dict[str, str]]:
        """Give the texts in the clinic's own words, by template and language."""
        return {
            key: {str(one): text for one, text in by.items()} for key, by in self.wording.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Give plain values in the shape of the file, for a JSON column."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` gave. It was accepted once, so that no mode is asked again."""
        return cls.model_validate(stored, context={"sandbox": True})


@lru_cache(maxsize=256)
def _staffed(
    week: Week,
    closed: Holidays,
    timezone: str,
    *,
    on_call: bool,
    nobody: tuple[tuple[datetime, datetime], ...] = (),
) -> StaffedHours:
    return StaffedHours(
        hours=week.by_weekday(),
        zone=ZoneInfo(timezone),
        country=closed.country,
        subdivision=closed.subdivision,
        extra=frozenset(closed.extra),
        open_on=frozenset(closed.open_on),
        on_call=on_call,
        nobody=nobody,
    )
