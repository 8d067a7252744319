"""Which open prompt an answer belongs to. Nothing is guessed: two that fit mean that we ask."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from messages.reading import OpenPrompt

APPOINTMENT, YES_NO = "appointment_reminder", "yes_no"

#: Texts that reached a phone within this time may be read together: those of one day.
READ_TOGETHER = timedelta(hours=12)

# The two scales that have names, as low and high end.
_NAMED = {"craving_scale": (0, 10), "side_effect_check": (0, 3)}
# Of what counts as an answer nothing has a sign, and "1,000" is a thousand.
_PLAIN = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,2})?")
_SCALE = re.compile(r"scale:(\d{1,4})-(\d{1,4})")


@lru_cache(maxsize=256)
def scale_of(context: str) -> tuple[int, int] | None:
    """Return the low and high end of a numeric context, or None for one without numbers."""
    match = _SCALE.fullmatch(context)
    return (int(match[1]), int(match[2])) if match else _NAMED.get(context)


def plain(number: str) -> str | None:
    """Return a number without a sign as it is recorded: "04" is 4, "6,50" is 6.5; else None."""
    if not _PLAIN.fullmatch(number):
        return None
    return f"{Decimal(number.replace(',', '.')).normalize():f}"


def lies_on(context: str, number: str) -> bool:
    """Say whether a number answers a numeric context: also "6.5" lies on a scale from 0 to 10."""
    scale, written = scale_of(context), plain(number)
    return bool(scale and written and scale[0] <= Decimal(written) <= scale[1])


def numeric(prompts: Iterable[OpenPrompt]) -> tuple[OpenPrompt, ...]:
    """Return the open prompts that ask for a number."""
    return tuple(prompt for prompt in prompts if scale_of(prompt.context))


def choose(fitting: Sequence[OpenPrompt], *, bare: bool = False) -> tuple[OpenPrompt | None, bool]:
    """Return the prompt an answer belongs to, and whether more than one could be meant.

    Reminders of one visit count as one prompt, the last asked. Of several visits a bare
    confirmation answers the one asked about last (`asked_last`).
    """
    if not fitting:
        return None, False
    latest = max(fitting, key=lambda prompt: prompt.asked_at)
    same = {prompt.subject for prompt in fitting}
    one_visit = (
        len(same) == 1
        and latest.subject is not None
        and all(prompt.context == APPOINTMENT for prompt in fitting)
    )
    if len(fitting) == 1 or one_visit:
        return latest, False
    last = asked_last(fitting) if bare else None
    return last, last is None


def asked_last(fitting: Sequence[OpenPrompt]) -> OpenPrompt | None:
    """Return the question about the visit that the patient was asked about last.

    None where the patient could mean another: a text of another visit reached the phone within
    `READ_TOGETHER` of it, or nobody knows whether or when one of them did (docs/understanding.md).
    """
    seen = {prompt.id: prompt.seen_at for prompt in fitting if prompt.seen_at is not None}
    of_visits = all(prompt.context == APPOINTMENT and prompt.subject for prompt in fitting)
    if not of_visits or len(seen) < len(fitting):
        return None
    last = max(fitting, key=lambda prompt: seen[prompt.id])
    others = [prompt for prompt in fitting if prompt.subject != last.subject]
    before = seen[last.id] - READ_TOGETHER
    return last if all(seen[prompt.id] <= before for prompt in others) else None


def first_fit(
    prompts: Sequence[OpenPrompt], *levels: Callable[[OpenPrompt], bool], bare: bool = False
) -> tuple[OpenPrompt | None, bool]:
    """Choose among the prompts of the first level that any prompt meets.

    "Yes" is the very answer a Y/N question asked for and only by extension one to C/R: a Y/N
    question open beside a reminder takes it.
    """
    for fits in levels:
        fitting = [prompt for prompt in prompts if fits(prompt)]
        if fitting:
            return choose(fitting, bare=bare)
    return None, False


def asked(*contexts: str) -> Callable[[OpenPrompt], bool]:
    """Return a test for prompts of these contexts."""
    return lambda prompt: prompt.context in contexts
