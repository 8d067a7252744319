"""Settings that may change while the sandbox runs: read from JSON, checked, shown as JSON."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.carrier import Carrier
from sandbox.config import Config, Delays, Keywords, Outcome
from sandbox.errors import SandboxError
from sandbox.numbers import normalise
from sandbox.webhooks import is_web_address


class SettingError(SandboxError):
    """A setting is unknown or its value is not usable; the message names it."""


ENDINGS = ("delivered", "undelivered", "failed", "sent")


def outcome(raw: Any) -> Outcome:
    """`{"status": "undelivered", "error_code": 30005}` as an Outcome. SettingError otherwise."""
    if not isinstance(raw, Mapping) or raw.get("status") not in ENDINGS:
        raise SettingError(f"status: one of {', '.join(ENDINGS)}.")
    code = raw.get("error_code")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
        raise SettingError("error_code: a number such as 30005, or nothing.")
    return Outcome(status=str(raw["status"]), error_code=code)


def _address(raw: Any) -> str | None:
    if raw in (None, ""):
        return None
    if not isinstance(raw, str) or not is_web_address(raw):
        raise SettingError(f"{raw}: not an http(s) address with a host (without underscores).")
    return raw


def _addresses(raw: Any) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise SettingError("inbound_urls: an object of number or service to address.")
    checked = {str(owner): _address(url) for owner, url in raw.items()}
    return {owner: url for owner, url in checked.items() if url is not None}


def _switch(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise SettingError(f"{raw}: true or false.")
    return raw


def _seconds(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise SettingError(f"{raw}: a number of seconds.")
    return float(raw)


def _keywords(raw: Any) -> Keywords:
    try:
        return Keywords(raw)
    except ValueError:
        raise SettingError(f"keywords: one of {', '.join(Keywords)}.") from None


def _services(raw: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, Mapping) or not all(isinstance(pool, list) for pool in raw.values()):
        raise SettingError("services: an object of service to list of numbers.")
    return {str(sid): tuple(_number(number) for number in pool) for sid, pool in raw.items()}


def _number(raw: Any) -> str:
    number = normalise(raw) if isinstance(raw, str) else None
    if number is None:
        raise SettingError(f"{raw}: not a telephone number such as +12125550110.")
    return number


def _delays(raw: Any) -> dict[str, float]:
    names = {field.name for field in dataclasses.fields(Delays)}
    if not isinstance(raw, Mapping) or not set(raw) <= names:
        raise SettingError(f"delays: an object of {', '.join(sorted(names))}, in seconds.")
    return {name: max(_seconds(value), 0.0) for name, value in raw.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "inbound_url": _address,
    "inbound_urls": _addresses,
    "fallback_url": _address,
    "webhook_on_number": _switch,
    "status_callback": _address,
    "voice_url": _address,
    "keywords": _keywords,
    "advanced_optout": _switch,
    "async_optout": _switch,
    "callbacks": _switch,
    "services": _services,
    "default_number": _number,
    "delays": _delays,
    "outcome": outcome,
    "patience": _seconds,
    "clock_offset": _seconds,
}


def changed(carrier: Carrier, wanted: Any) -> Config:
    """The configuration with these settings replaced. SettingError names the one that is wrong."""
    if not isinstance(wanted, Mapping):
        raise SettingError("Send a JSON object of settings.")
    for name in wanted:
        if name not in _READERS:
            raise SettingError(f"{name}: not a setting. Use {', '.join(_READERS)}.")
    changes = {name: _READERS[name](value) for name, value in wanted.items()}
    if "delays" in changes:
        # The delays that are not named stay as they are.
        changes["delays"] = dataclasses.replace(carrier.config.delays, **changes["delays"])
    return dataclasses.replace(carrier.config, **changes)


def shown(config: Config) -> dict[str, Any]:
    """The settings as JSON, without tokens."""
    document = {name: getattr(config, name) for name in _READERS}
    document["delays"] = dataclasses.asdict(config.delays)
    document["outcome"] = dataclasses.asdict(config.outcome)
    document["inbound_urls"] = dict(config.inbound_urls)
    return document | {
        "accounts": list(config.accounts),
        "services": {sid: list(numbers) for sid, numbers in config.services.items()},
    }
