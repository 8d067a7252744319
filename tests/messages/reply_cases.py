"""Shared by the tests of replies: prompts, and a reading without ceremony."""

from datetime import UTC, datetime, timedelta

from messages.replies import OpenPrompt, Reading, read

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


def prompt(context: str, name: str = "p", *, subject: str | None = None, minutes: int = 0):
    """Return a prompt asked some minutes after noon and open for a day."""
    asked_at = NOW + timedelta(minutes=minutes)
    until = NOW + timedelta(days=1)
    return OpenPrompt(id=name, context=context, asked_at=asked_at, until=until, subject=subject)


def reading(body: str, *contexts: str, language: str = "en") -> Reading:
    """Read a text with one open prompt a context, named after it."""
    prompts = [prompt(context, context) for context in contexts]
    return read(body, prompts=prompts, language=language)
