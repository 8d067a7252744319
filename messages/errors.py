"""Errors of the messages package: each names the place and says how to mend it.

Names say what happened, since callers read `except BadPhone`: hence no "Error" at their end.
No message here ever quotes a phone number or a patient's words: exception texts reach logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with one template in one language, and how to mend it."""

    template: str
    language: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"template {self.template} ({self.language}): {self.message}. {self.mend}"


class MessageError(Exception):
    """Something about a text could not be done."""


class TemplateError(MessageError):
    """Templates that may not be used; `faults` holds every reason found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnknownPlaceholder(TemplateError):  # noqa: N818
    """A template names a value that nothing in the product fills in."""


class UnknownTemplate(MessageError):  # noqa: N818
    """A protocol or a step asks for a text that the catalogue does not hold."""

    def __init__(self, template: str) -> None:
        self.template = template
        super().__init__(f"There is no template {template!r}. Use one that the catalogue lists.")


class UnknownLanguage(MessageError):  # noqa: N818
    """A template has no wording in the language asked for."""

    def __init__(self, template: str, language: str, known: Sequence[str]) -> None:
        self.template, self.language = template, language
        super().__init__(
            f"Template {template} has no wording in {language!r}. It has: {', '.join(known)}."
        )


class MissingVariable(MessageError):  # noqa: N818
    """A text was rendered without a value that its wording needs."""

    def __init__(self, template: str, variable: str) -> None:
        self.template, self.variable = template, variable
        super().__init__(
            f"Template {template} needs a value for {{{variable}}}, and none was given. "
            f"Give it, or take the placeholder out of the wording."
        )


class BadPhone(MessageError):  # noqa: N818
    """Text that is not a phone number; `reason` says why without repeating the number."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Not a usable phone number: {reason}.")


class LexiconError(MessageError):
    """A word list that ships with the product can't be read."""
