"""What closed lists of few words are made into, for the tables of what is meant under a text."""

from collections.abc import Callable

from messages.reading import Heard, Hint, Hit, Intent, Severity

Said = Callable[[Heard], list[Hit]]

RISK = Hint.possible_risk
TODAY, SOON = Severity.call_today, Severity.next_business_day
THANKS, ASKED = Intent.thanks_no_action, Intent.question_for_staff


def told(
    *groups: str,
    intent: Intent = Intent.unclear,
    severity: Severity | None = None,
    hint: Hint | None = None,
    unasked: bool = False,
) -> Said:
    """Read words as what they tell, with nothing else to be made of them.

    With `unasked` only where no question is open that they may answer.
    """

    def said(heard: Heard) -> list[Hit]:
        asked = heard.asks or (unasked and contexts(heard))
        language = None if asked else whole(groups, heard)
        hit = Hit(intent=intent, severity=severity, hint=hint, language=language)
        return [hit] if language else []

    return said


def whole(groups: tuple[str, ...], heard: Heard) -> str | None:
    """Return the language in which a text is nothing but words of one of these groups."""
    found = (heard.whole(group) for group in groups)
    return next((language for language in found if language), None)


def contexts(heard: Heard) -> set[str]:
    """Return what the open questions ask for."""
    return {prompt.context for prompt in heard.prompts} - {"none"}


def looked_at() -> Hit:
    """Have a person look the same day, whatever else a text says."""
    return Hit(intent=Intent.unclear, severity=TODAY, hint=RISK, aside=True)
