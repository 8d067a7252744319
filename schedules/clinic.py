"""What a clinic says about itself in `clinic.yaml`, read with every fault named.

`aftercare clinic apply` reads the file with `read_clinic`, records store `to_json()` of it, and
planning, sending and follow-ups ask the stored object for its window, its hours and its people.
"""

from collections.abc import Mapping
from datetime import datetime, time
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import holidays
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from schedules import clinic_cover
from schedules.clinic_faults import faults_of
from schedules.clinic_fields import (
    Closing,
    Date,
    Day,
    Email,
    Line,
    Link,
    Name,
    Opening,
    Phone,
    Reason,
    WholeHours,
    Zone,
    hours_or_word,
    wrong,
)
from schedules.errors import ClinicFileError, YamlFileError
from schedules.staffing import Span, StaffedHours
from schedules.windows import MIDNIGHT, SendWindow
from schedules.yamlfile import parse

# A phone shows a long sender name cut, and it eats into every text's 160 letters.
SMS_NAME_LENGTH = 24

# Below this a second look at the carrier may come before the carrier lists what it took.
SHORTEST_GRACE_SECONDS = 120

# 47 CFR 64.1200(c)(1), local time at the called party. Reminders are no solicitations, but no
# appellate court has said so; live clinics stay inside.
QUIET_HOURS_END, QUIET_HOURS_START = time(8), time(21)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class AfterHours(StrEnum):
    """Whether anybody can be reached outside staffed hours."""

    ON_CALL = "on_call"
    NONE = "none"


class OptoutHandledBy(StrEnum):
    """Who answers STOP, START and HELP: the carrier or this product."""

    TWILIO = "twilio"
    APP = "app"


class UnknownPolicy(StrEnum):
    """What happens to a text that may or may not have been sent."""

    VERIFY_THEN_RETRY = "verify_then_retry"
    PREFER_SILENCE = "prefer_silence"
    PREFER_DUPLICATE = "prefer_duplicate"


class DetailLevel(StrEnum):
    """How plainly texts speak: L0 neutral, L1 plain for patients who opted in."""

    L0 = "L0"
    L1 = "L1"


class StopFooter(StrEnum):
    """Whether every text says how to stop, or one every 30 days (care rule 30)."""

    ALWAYS = "always"
    MONTHLY = "monthly"


class _Part(BaseModel):
    """Unknown keys are faults: a misspelt key would silently mean its default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )


class Week(_Part):
    """Hours by weekday; a day left out or empty is closed."""

    mon: Day = ()
    tue: Day = ()
    wed: Day = ()
    thu: Day = ()
    fri: Day = ()
    sat: Day = ()
    sun: Day = ()

    @field_validator(*WEEKDAYS)
    @classmethod
    def _in_order(cls, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        ordered = tuple(sorted(spans))
        for earlier, later in pairwise(ordered):
            if earlier.meets(later):
                raise wrong(f'"{earlier}" and "{later}" overlap', "Join them, or part them")
        return ordered

    def by_weekday(self) -> dict[int, tuple[Span, ...]]:
        """Give the spans under 0 (Monday) to 6, as `StaffedHours` takes them."""
        return {number: getattr(self, name) for number, name in enumerate(WEEKDAYS)}


def _not_empty(week: Week, message: str) -> Week:
    if not any(week.by_weekday().values()):
        raise wrong(message, 'Give at least one day, such as mon: ["08:00-17:00"]')
    return week


class SendHours(_Part):
    """Wall-clock hours in the patient's zone in which texts may start."""

    opens: Opening = Field(default=time(9), alias="from")
    closes: Closing = Field(default=time(20), alias="to", validate_default=True)

    @field_validator("closes")
    @classmethod
    def _a_span(cls, closes: time, info: ValidationInfo) -> time:
        opens = info.data.get("opens")
        if opens is None:
            return closes
        if MIDNIGHT < closes <= opens:
            raise wrong(
                f"the window ends at {closes:%H:%M}, before it starts at {opens:%H:%M}",
                'Put the later time under "to"; texts never go over midnight',
            )
        if _too_wide(opens, closes) and not _sandbox(info):
            raise wrong(
                "texts may start between 08:00 and 21:00 where the patient is, and no later",
                'Narrow send_window, for example {from: "09:00", to: "20:00"}',
            )
        return closes


def _too_wide(opens: time, closes: time) -> bool:
    return opens < QUIET_HOURS_END or closes > QUIET_HOURS_START or closes == MIDNIGHT


def _sandbox(info: ValidationInfo) -> bool:
    return bool((info.context or {}).get("sandbox"))


class Holidays(_Part):
    """Closed dates: a country's public holidays, the clinic's own, less those it works on."""

    country: str | None = None
    subdivision: str | None = Field(default=None, validate_default=True)
    extra: tuple[Date, ...] = ()
    open_on: tuple[Date, ...] = ()

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str | None) -> str | None:
        if country is not None and country not in holidays.list_supported_countries():
            raise wrong(f'no holidays are known for "{country}"', "Write US, or leave it out")
        return country

    @field_validator("subdivision")
    @classmethod
    def _known_subdivision(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        if subdivision is None or "country" not in info.data:
            return subdivision
        country = info.data["country"]
        if country is None:
            raise wrong("a subdivision needs its country", "Add country: US")
        if subdivision not in holidays.list_supported_countries()[country]:
            raise wrong(
                f'"{subdivision}" is no part of {country} with holidays of its own',
                "Write the state's two letters, such as NY, or leave it out",
            )
        return subdivision


class Sender(_Part):
    """Where texts come from, how fast they may go, and every number that is still read."""

    messaging_service_sid: Annotated[str, Field(pattern=r"^MG[0-9a-fA-F]{32}$")] | None = None
    from_number: Phone | None = Field(default=None, alias="from", validate_default=True)
    numbers: tuple[Phone, ...] = Field(default=(), validate_default=True)
    segments_per_second: Annotated[float, Field(gt=0, le=1000, strict=True)] = 1
    previous: tuple[Phone, ...] = ()

    @field_validator("from_number")
    @classmethod
    def _one_sender(cls, from_number: str | None, info: ValidationInfo) -> str | None:
        service = info.data.get("messaging_service_sid")
        if "messaging_service_sid" in info.data and (service is None) == (from_number is None):
            raise wrong(
                "the sender is either a messaging service or one number",
                "Keep one of messaging_service_sid and from",
            )
        return from_number

    @field_validator("numbers")
    @classmethod
    def _heard(cls, numbers: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("messaging_service_sid") and not numbers:
            raise wrong(
                "a messaging service needs the numbers that patients may text",
                'Add numbers: ["+12125550110"], every number in the service',
            )
        own = info.data.get("from_number")
        return numbers if own is None or own in numbers else (own, *numbers)


class Caps(_Part):
    """Texts we start, per patient; null per week means no weekly cap (care rule 8)."""

    per_day: Annotated[int, Field(ge=1, strict=True)] = 2
    per_week: Annotated[int, Field(ge=1, strict=True)] | None = None


class Fasting(_Part):
    """Hours before a dosing visit without food and without fluids (clinical.md section 2)."""

    solids_hours: WholeHours = 6
    fluids_hours: WholeHours = Field(default=2, validate_default=True)

    @field_validator("fluids_hours")
    @classmethod
    def _not_longer_than_food(cls, fluids: float, info: ValidationInfo) -> float:
        if fluids > info.data.get("solids_hours", fluids):
            raise wrong("fluids end before food does", "Give fluids_hours at most solids_hours")
        return fluids


class Contact(_Part):
    """A member of staff who can be paged."""

    name: Name
    phone: Phone
    email: Email | None = None


# The tag keeps pydantic from reporting hours by weekday as a wrong word as well.
Hours = Annotated[
    Annotated[Literal["always", "after_hours"], Tag("word")] | Annotated[Week, Tag("week")],
    Discriminator(lambda hours: "week" if isinstance(hours, dict | Week) else "word"),
    BeforeValidator(hours_or_word),
]


class OnCall(Contact):
    """A contact with the hours in which pages go there."""

    hours: Hours = "always"

    @field_validator("hours")
    @classmethod
    def _some_hours(cls, hours: str | Week) -> str | Week:
        return _not_empty(hours, "these hours are empty") if isinstance(hours, Week) else hours


class Unknown(_Part):
    """How a text with no answer from the carrier is settled, and after how long."""

    policy: UnknownPolicy = UnknownPolicy.VERIFY_THEN_RETRY
    grace_seconds: Annotated[int, Field(ge=1, le=3600, strict=True)] = 180
    recheck_seconds: Annotated[int, Field(ge=1, le=3600, strict=True)] = 60

    @field_validator("grace_seconds")
    @classmethod
    def _long_enough(cls, grace: int, info: ValidationInfo) -> int:
        if grace < SHORTEST_GRACE_SECONDS and not _sandbox(info):
            raise wrong(
                f"{grace} s is too short a wait outside the sandbox; the carrier's list lags",
                f"Give at least {SHORTEST_GRACE_SECONDS}, 180 if unsure",
            )
        return grace


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
    if unsafe := clinic_cover.faults(read, located):
        raise ClinicFileError(unsafe)
    return read


class ClinicFile(_Part):
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
    #: Who phones about an opioid patient's silence on closed days, where nobody is on call.
    closed_day_caller: Contact | None = None
    optout_handled_by: OptoutHandledBy = OptoutHandledBy.TWILIO
    unknown: Unknown = Unknown()
    detail_level: DetailLevel = DetailLevel.L0
    stop_footer: StopFooter = StopFooter.MONTHLY
    #: Whether an imported consent counts only where the risk of plain texts was acknowledged.
    require_sms_risk_ack: bool = False
    protocols: tuple[Name, ...] = ()
    #: What a gated protocol asks to be settled first: its gate, and who answers for it.
    gates: dict[str, Name] = Field(default_factory=dict)
    #: Phrases of the clinic's own: by language, category of the word lists, and part (say, exact).
    words: dict[Literal["en", "es"], dict[Name, dict[Name, tuple[str, ...]]]] = Field(
        default_factory=dict
    )
    #: Where a protocol's forms are filled in: the form's key, and its address.
    forms: dict[str, Link] = Field(default_factory=dict)
    #: What whoever takes an item does first, by its reason: the clinic's own words (care rule 15).
    playbook: dict[Reason, tuple[Line, ...]] = Field(default_factory=dict)

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
        return _not_empty(week, "no hour of the week is staffed, so that nobody would read a reply")

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
        wide = _too_wide(self.send_window.opens, self.send_window.closes)
        return wide or self.unknown.grace_seconds < SHORTEST_GRACE_SECONDS

    def window(self) -> SendWindow:
        """Give the send window, to be judged in the patient's zone."""
        return SendWindow(opens=self.send_window.opens, closes=self.send_window.closes)

    def staffed(self) -> StaffedHours:
        """Give the staffed hours; equal files share one object and its cache of days."""
        on_call = self.after_hours is AfterHours.ON_CALL
        return _staffed(self.staffed_hours, self.holidays, self.timezone, on_call=on_call)

    def on_call_at(self, at: datetime) -> tuple[OnCall, ...]:
        """Name those whom a page reaches at this instant, in the order of the file."""
        return tuple(person for person in self.on_call if self._takes_pages(person, at))

    def is_covered(self, at: datetime) -> bool:
        """Whether a call can be offered or promised at this instant (care rule 11)."""
        on_call = self.after_hours is AfterHours.ON_CALL
        return self.staffed().is_staffed(at) or (on_call and bool(self.on_call_at(at)))

    def _takes_pages(self, person: OnCall, at: datetime) -> bool:
        if isinstance(person.hours, Week):
            return _staffed(person.hours, Holidays(), self.timezone, on_call=True).is_staffed(at)
        return person.hours == "always" or not self.staffed().is_staffed(at)

    def to_json(self) -> dict[str, Any]:
        """Give plain values in the shape of the file, for a JSON column."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` gave. It was accepted once, so that no mode is asked again."""
        return cls.model_validate(stored, context={"sandbox": True})


@lru_cache(maxsize=256)
def _staffed(week: Week, closed: Holidays, timezone: str, *, on_call: bool) -> StaffedHours:
    return StaffedHours(
        hours=week.by_weekday(),
        zone=ZoneInfo(timezone),
        country=closed.country,
        subdivision=closed.subdivision,
        extra=frozenset(closed.extra),
        open_on=frozenset(closed.open_on),
        on_call=on_call,
    )
