"""What can go wrong in `schedules`, each named once, with the place and the mend in its message."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in one file; `line` counts from 1, and 0 means the file as a whole."""

    file: str
    line: int
    message: str
    mend: str

    def __str__(self) -> str:
        """Say `file:line: message. mend` with one full stop after each part."""
        parts = (part.rstrip(". ") + "." for part in (self.message, self.mend) if part)
        return f"{self.file}:{self.line}: {' '.join(parts)}"


class ScheduleError(Exception):
    """Base of everything this package raises on purpose."""


class FileFaults(ScheduleError):  # noqa: N818 - It carries faults; every subclass says Error.
    """A file cannot be used; `faults` lists every reason found, in the order of its lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults and print one a line."""
        self.faults: tuple[Fault, ...] = tuple(sorted(faults, key=lambda fault: fault.line))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class YamlFileError(FileFaults):
    """A file is not readable YAML, or uses a part of YAML that this product refuses."""


class ProtocolError(FileFaults):
    """A protocol file says something that cannot be carried out."""


class ClinicFileError(FileFaults):
    """A clinic file says something that cannot be carried out."""


class UnknownZoneError(ScheduleError):
    """A time zone name is not in the IANA database."""
