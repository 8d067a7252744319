"""Settings from the environment or a `.env` file, checked once, each fault in the user's words."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

_TWILIO_API = "https://api.twilio.com"


class SettingsError(Exception):
    """A setting is missing or wrong; the message names each and says how to mend it."""


class FileSource(PydanticBaseSettingsSource):
    """Reads `NAME_FILE`: the path of a file that holds the value, as Docker hands secrets over.

    An empty file counts as no value, as an empty variable does.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = str(field.alias or field_name).upper()
        path = os.environ.get(f"{name}_FILE")
        if not path:
            return None, name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None, name, False
        except OSError as error:
            raise SettingsError(
                f"{name}_FILE names {path}, which can't be read ({error.strerror}): "
                "check the path and its rights"
            ) from error

    def __call__(self) -> dict[str, Any]:
        found = {}
        for field_name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, field_name)
            if value is not None:
                found[key] = value
        return found


def _not_blank(value: SecretStr) -> SecretStr:
    """Refuse a secret that anybody knows. Raises ValueError."""
    if not value.get_secret_value().strip():
        raise ValueError("is empty: give it a value, or leave it out")
    return value


Secret = Annotated[SecretStr, AfterValidator(_not_blank)]


def _network(value: Any) -> Any:
    """Read an address, or a network of them. Raises ValueError."""
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError(
            f'"{value}" is no address and no network: {_nearest(value)}'
            "write each as 127.0.0.1 or 172.18.0.0/16, with commas between them"
        ) from None
    if not network.prefixlen:
        raise ValueError(f'"{value}" is everybody: name the address of the proxy alone')
    return network


def _nearest(value: Any) -> str:
    """Return the network that an address with too many digits lies in, as a hint."""
    try:
        return f"the network around it is {ip_network(value, strict=False)}; "
    except ValueError:
        return ""


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = tuple[Network, ...]


def _named(name: str, **options: Any) -> Any:
    return Field(alias=name, **options)


class Settings(BaseSettings):
    """All settings. Names are those of the environment; see docs/operations.md for each."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: Secret = _named("DATABASE_URL")
    database_owner_url: Secret | None = _named("DATABASE_OWNER_URL", default=None)
    redis_url: Secret = _named("REDIS_URL")
    mode: Literal["sandbox", "trial", "live"] = _named("AFTERCARE_MODE", default="sandbox")
    trial_numbers: Annotated[tuple[str, ...], NoDecode] = _named(
        "AFTERCARE_TRIAL_NUMBERS", default=()
    )
    public_url: str = _named("PUBLIC_URL")
    twilio_account_sid: str = _named("TWILIO_ACCOUNT_SID")
    twilio_auth_token: Secret = _named("TWILIO_AUTH_TOKEN")
    twilio_auth_token_previous: Secret | None = _named("TWILIO_AUTH_TOKEN_PREVIOUS", default=None)
    twilio_api_url: str | None = _named("TWILIO_API_URL", default=None)
    encryption_keys: Annotated[tuple[Secret, ...], NoDecode] = _named("AFTERCARE_ENCRYPTION_KEYS")
    secret_key: Secret = _named("AFTERCARE_SECRET_KEY", min_length=16)
    dispatch_interval: float = _named("AFTERCARE_DISPATCH_INTERVAL", default=1.0, gt=0, le=60)
    log_format: Literal["json", "console"] = _named("AFTERCARE_LOG_FORMAT", default="json")
    host: str = _named("AFTERCARE_HOST", default="127.0.0.1")
    port: int = _named("AFTERCARE_PORT", default=8000, ge=0, le=65535)
    trusted_proxies: Annotated[Networks, NoDecode] = _named("AFTERCARE_TRUSTED_PROXIES", default=())
    metrics_token: Secret | None = _named("AFTERCARE_METRICS_TOKEN", default=None)
    worker_metrics_port: int = _named("AFTERCARE_WORKER_METRICS_PORT", default=9101, ge=0)
    heartbeat_url: str | None = _named("AFTERCARE_HEARTBEAT_URL", default=None)
    smtp_url: Secret | None = _named("SMTP_URL", default=None)
    page_webhook_url: str | None = _named("AFTERCARE_PAGE_WEBHOOK_URL", default=None)
    page_webhook_secret: Secret | None = _named("AFTERCARE_PAGE_WEBHOOK_SECRET", default=None)
    page_account_sid: str | None = _named("AFTERCARE_PAGE_TWILIO_ACCOUNT_SID", default=None)
    page_auth_token: Secret | None = _named("AFTERCARE_PAGE_TWILIO_AUTH_TOKEN", default=None)
    page_from: str | None = _named("AFTERCARE_PAGE_TWILIO_FROM", default=None)
    operators: Annotated[tuple[str, ...], NoDecode] = _named("AFTERCARE_OPERATORS", default=())
    requests_in_flight: int = _named("AFTERCARE_REQUESTS_IN_FLIGHT", default=256, ge=1, le=4096)
    clock_offset: float = _named("AFTERCARE_CLOCK_OFFSET", default=0.0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        return init_settings, env_settings, FileSource(settings_cls), dotenv_settings

    @field_validator(
        "trial_numbers", "encryption_keys", "operators", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _at_least_one(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value:
            raise ValueError("needs at least one key: make one with `aftercare keys new`")
        return value

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith("postgresql+psycopg://"):
            raise ValueError("must start with postgresql+psycopg:// (PostgreSQL is the only one)")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and (parts.scheme not in {"smtp", "smtps"} or not parts.hostname):
            raise ValueError("must be an address such as smtp://user:password@mail.example.org:587")
        return value

    @field_validator("public_url", "twilio_api_url", "page_webhook_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address such as https://texts.example.org")
        if "_" in parts.hostname:
            raise ValueError("the carrier calls no host with an underscore in its name")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _mode_is_safe(self) -> Self:
        fault = {"sandbox": self._sandbox_fault, "trial": self._trial_fault}.get(
            self.mode, self._live_fault
        )() or self._paging_fault()
        if fault:
            raise ValueError(fault)
        return self

    def _sandbox_fault(self) -> str | None:
        if not self.twilio_api_url:
            return (
                "TWILIO_API_URL is missing: in sandbox mode it names the sandbox carrier, "
                "e.g. http://127.0.0.1:9099 (start one with `aftercare sandbox`)"
            )
        if _is_twilio(self.twilio_api_url):
            return (
                "TWILIO_API_URL names Twilio's own host, which sandbox mode never calls: "
                "name the sandbox carrier, or set AFTERCARE_MODE to trial or live"
            )
        return None

    def _trial_fault(self) -> str | None:
        if not self.trial_numbers:
            return (
                "AFTERCARE_TRIAL_NUMBERS is missing: trial mode texts only the numbers in it, "
                "e.g. +12125550123,+12125550124"
            )
        return None

    def _live_fault(self) -> str | None:
        if os.environ.get("AFTERCARE_CRASH_AT"):
            return "AFTERCARE_CRASH_AT kills processes on purpose, for tests: remove it"
        if self.clock_offset:
            return "AFTERCARE_CLOCK_OFFSET must be 0 in live mode: remove it"
        if self.twilio_api_url and not _is_twilio(self.twilio_api_url):
            return "TWILIO_API_URL must be Twilio's own host in live mode: remove it"
        if not self.public_url.startswith("https://"):
            return "PUBLIC_URL must begin with https:// in live mode"
        return None

    def _paging_fault(self) -> str | None:
        if self.page_webhook_url and not self.page_webhook_secret:
            return (
                "AFTERCARE_PAGE_WEBHOOK_SECRET is missing: it signs what is posted to "
                "AFTERCARE_PAGE_WEBHOOK_URL. Any long random text, known to both sides"
            )
        second = (self.page_account_sid, self.page_auth_token, self.page_from)
        if any(second) and not all(second):
            return (
                "the second account needs all of AFTERCARE_PAGE_TWILIO_ACCOUNT_SID, _AUTH_TOKEN "
                "and _FROM (its number, as +12125550100)"
            )
        if self.mode != "live":
            return None
        if self.page_account_sid == self.twilio_account_sid:
            return "AFTERCARE_PAGE_TWILIO_ACCOUNT_SID must be another account than the texts'"
        if self.page_webhook_url and not self.page_webhook_url.startswith("https://"):
            return "AFTERCARE_PAGE_WEBHOOK_URL must begin with https:// in live mode"
        return None

    @property
    def carrier_url(self) -> str:
        """The base address of the carrier's REST API."""
        return self.twilio_api_url or _TWILIO_API

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """The tokens a webhook may be signed with: the present and, while rotating, the last."""
        both = (self.twilio_auth_token, self.twilio_auth_token_previous)
        return tuple(token.get_secret_value() for token in both if token)

    @property
    def page_auth_tokens(self) -> tuple[str, ...]:
        """The token that the second account's webhooks are signed with."""
        return (self.page_auth_token.get_secret_value(),) if self.page_auth_token else ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The configured encryption keys, the wrapping one first."""
        return tuple(key.get_secret_value() for key in self.encryption_keys)


def _is_twilio(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "twilio.com" or host.endswith(".twilio.com")


def load(**overrides: Any) -> Settings:
    """Return the settings; raises SettingsError, which names every fault."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [_in_words(fault) for fault in error.errors(include_input=False)]
        raise SettingsError("\n".join(faults)) from None


def _in_words(fault: Any) -> str:
    name = ".".join(str(part) for part in fault["loc"][:1])
    if fault["type"] == "missing":
        file = os.environ.get(f"{name}_FILE")
        if file:
            return f"{name} is missing: {file}, which {name}_FILE names, is empty. Fill it in"
        return (
            f"{name} is missing: set it in the environment or in .env (see .env.example), "
            f"or name a file that holds it in {name}_FILE"
        )
    message = fault["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
