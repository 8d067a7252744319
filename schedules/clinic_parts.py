"""The parts of a clinic file: hours, people, sender, limits, each with what must be true of it.

`schedules.clinic` puts them together to a whole file.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal

import holidays
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from schedules.clinic_fields import (
    Closing,
    Date,
    Day,
    Email,
    Line,
    Name,
    Opening,
    Phone,
    WholeHours,
    hours_or_word,
    wrong,
)
from schedules.staffing import Span
from schedules.terms import NAME as TERM_NAME
from schedules.windows import MIDNIGHT

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
    """How plainly texts were to speak: L0 neutral, L1 plain for patients who opted in.

    Nothing reads it, all texts are neutral. It is accepted because stored files and those of
    clinics have it: refused, a clinic's stored file could be read no more, and its texts stood.
    """

    L0 = "L0"
    L1 = "L1"


class StopFooter(StrEnum):
    """Whether every text that we start says how to stop, or one every 30 days (care rule 30)."""

    ALWAYS = "always"
    MONTHLY = "monthly"


class Part(BaseModel):
    """Unknown keys are faults: a misspelt key would silently mean its default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )


class Week(Part):
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


def not_empty(week: Week, message: str) -> Week:
    if not any(week.by_weekday().values()):
        raise wrong(message, 'Give at least one day, such as mon: ["08:00-17:00"]')
    return week


class SendHours(Part):
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
        if too_wide(opens, closes) and not _sandbox(info):
            raise wrong(
                "texts may start between 08:00 and 21:00 where the patient is, and no later",
                'Narrow send_window, for example {from: "09:00", to: "20:00"}',
            )
        return closes


def too_wide(opens: time, closes: time) -> bool:
    return opens < QUIET_HOURS_END or closes > QUIET_HOURS_START or closes == MIDNIGHT


def _sandbox(info: ValidationInfo) -> bool:
    return bool((info.context or {}).get("sandbox"))


class Holidays(Part):
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


class Sender(Part):
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


class Caps(Part):
    """Texts we start, per patient (care rule 8). The week's cap spares whoever agreed to check-ins.

    null per week means no weekly cap.
    """

    per_day: Annotated[int, Field(ge=1, strict=True)] = 2
    per_week: Annotated[int, Field(ge=1, strict=True)] | None = 3


def _term(value: object) -> object:
    """Accept a name that stands well in a sentence: `route nasal or oral` has two."""
    if isinstance(value, str) and re.fullmatch(TERM_NAME, value) and value not in ("or", "not"):
        return value
    raise wrong(f'"{value}" is no name of a route or substance', "Use small letters, such as nasal")


Term = Annotated[str, BeforeValidator(_term)]


def fasting_hours(
    route: str | None, usual: tuple[float, float], by_route: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """Give a route's own hours, else the usual ones; the longest where nobody entered a route.

    A missing field must never shorten a fast.
    """
    if route:
        return by_route.get(route, usual)
    every = (usual, *by_route.values())
    return max(solids for solids, _ in every), max(fluids for _, fluids in every)


class RouteFasting(Part):
    """What differs for one route; what is left out is as for all."""

    solids_hours: WholeHours | None = None
    fluids_hours: WholeHours | None = None


class Fasting(Part):
    """Hours before a dosing visit without food and without fluids (clinical brief, section 2).

    The same for all routes, unless `routes` says otherwise.
    """

    solids_hours: WholeHours = 6
    fluids_hours: WholeHours = Field(default=2, validate_default=True)
    routes: dict[Term, RouteFasting] = Field(default_factory=dict)

    @field_validator("fluids_hours")
    @classmethod
    def _not_longer_than_food(cls, fluids: float, info: ValidationInfo) -> float:
        return not_longer(fluids, info.data.get("solids_hours", fluids))

    @field_validator("routes")
    @classmethod
    def _not_longer_by_route(
        cls, routes: dict[str, RouteFasting], info: ValidationInfo
    ) -> dict[str, RouteFasting]:
        if {"solids_hours", "fluids_hours"} <= info.data.keys():
            for said in routes.values():
                solids, fluids = _either(said, info.data["solids_hours"], info.data["fluids_hours"])
                not_longer(fluids, solids)
        return routes

    def hours(self, route: str | None) -> tuple[float, float]:
        """Give the hours without food and without fluids before a visit by this route."""
        return fasting_hours(route, (self.solids_hours, self.fluids_hours), self.by_route())

    def by_route(self) -> dict[str, tuple[float, float]]:
        """Give the hours without food and without fluids of each route that has its own."""
        return {
            name: _either(said, self.solids_hours, self.fluids_hours)
            for name, said in self.routes.items()
        }


def _either(said: RouteFasting, solids: float, fluids: float) -> tuple[float, float]:
    return (
        solids if said.solids_hours is None else said.solids_hours,
        fluids if said.fluids_hours is None else said.fluids_hours,
    )


def not_longer(fluids: float, solids: float) -> float:
    if fluids > solids:
        raise wrong("fluids end before food does", "Give fluids_hours at most solids_hours")
    return fluids


class RouteTerm(Part):
    """A route of the clinic's own: what staff read for it (`schedules.terms`)."""

    shown: Line | None = None


class SubstanceTerm(Part):
    """A substance of the clinic's own, or what it says otherwise of a shipped one."""

    shown: Line | None = None
    also: tuple[Line, ...] | None = None
    silence_is_urgent: bool | None = None


class Contact(Part):
    """A member of staff who can be paged."""

    name: Name
    phone: Phone
    email: Email | None = None

    @property
    def key(self) -> str:
        """Under what a contact and a console user are known as one person."""
        return key_of(self.email, self.name)


def key_of(email: str | None, name: str) -> str:
    """Return somebody's key: their e-mail address in lower case, or their name."""
    return (email or name).strip().lower()


# The tag keeps pydantic from reporting hours by weekday as a wrong word as well.
Hours = Annotated[
    Annotated[Literal["always", "after_hours"], Tag("word")] | Annotated[Week, Tag("week")],
    Discriminator(lambda hours: "week" if isinstance(hours, dict | Week) else "word"),
    BeforeValidator(hours_or_word),
]


class Weeks(Part):
    """One of several weeks in turn: that of a date, and each so many weeks after.

    A turn begins on the date's weekday at `at`, by the clinic's clock. Weeks are counted from the
    date and not by the calendar's numbers: a year of 53 would give somebody two in a row.
    """

    every: Annotated[int, Field(ge=2, le=52, strict=True)]
    begins: Date = Field(alias="from")
    at: Opening = MIDNIGHT

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies in such a week; never before the first one."""
        passed = local.replace(tzinfo=None) - datetime.combine(self.begins, self.at)
        return passed >= timedelta() and passed // timedelta(weeks=1) % self.every == 0


class OnCall(Contact):
    """A contact with the hours, and perhaps the weeks, in which pages go there."""

    hours: Hours = "always"
    weeks: Weeks | None = None

    @field_validator("hours")
    @classmethod
    def _some_hours(cls, hours: str | Week) -> str | Week:
        return not_empty(hours, "these hours are empty") if isinstance(hours, Week) else hours


class Unknown(Part):
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
