"""Reads the files that ship inside this package: words, codes, wording and weights are data."""

from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent

# Word lists hold `yes`, `no`, `on` and `off`, which YAML's usual schema turns into booleans. The
# base loader keeps every scalar a string; the C one starts the processes faster where it exists.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def load(relative: str) -> dict[str, Any]:
    """Return one shipped file as a mapping whose scalars are all strings."""
    return dict(_read(relative))


def rows(relative: str) -> list[dict[str, Any]]:
    """Return one shipped file as a list of rows whose scalars are all strings."""
    return [dict(row) for row in _read(relative)]


def text(relative: str) -> str:
    """Return one shipped file as it stands."""
    return (_HERE / relative).read_text(encoding="utf-8")


def bytes_of(relative: str) -> bytes:
    """Return one shipped file that is no text."""
    return (_HERE / relative).read_bytes()


def _read(relative: str) -> Any:
    return yaml.load(text(relative), Loader=_LOADER)  # noqa: S506 - the base loader builds strings only.


def stems(folder: str, *, prefix: str = "") -> tuple[str, ...]:
    """Return the sorted names, less prefix and suffix, of the YAML files in a folder."""
    paths = (_HERE / folder).glob(f"{prefix}*.yaml")
    return tuple(sorted(path.stem.removeprefix(prefix) for path in paths))
