"""What the lists found in a text and no learned reader believes: a person decides about it.

A phrase of the lists is what somebody foresaw. "Kids barricaded me in the bathroom, demands: pizza"
holds one for somebody who is locked in, and "take me off the 2 o'clock" one that ends texts. Each
of the readers (`messages.ensemble`) errs on other texts than the others; where all of them together
hold what the lists say for next to impossible, in the text and in each of its sentences by itself,
nothing happens by it but that somebody reads the text the same day. Nothing is ruled out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from messages.ensemble import Alike, danger_in, ending_in
from messages.reading import Heard, Hint, Hit, Intent, Severity
from messages.resemblance import resembling, thresholds

# A long text resembles much at once, and may hide one line among many; in a few words each weighs
# much. There the lists stand.
_MOST_LETTERS, _FEWEST_WORDS = 160, 4


def weighed(
    heard: Heard,
    alike: Alike,
    hits: Sequence[Hit],
    sentences: Iterable[Alike] = (),
    *,
    joined: bool = False,
) -> list[Hit]:
    """Return what a text says by the lists and by its likeness, what stands first first.

    `sentences` are what each of several resembles by itself; they are asked for where the text is
    doubted. A page and a stop of the lists wait for no reader: where one fails, they stand as they
    are. Raises what a reader raises for any other text, so that its failure is seen.
    """
    try:
        kept = doubted(heard, alike, hits, sentences)
        # Danger outranks all else, so what the text resembles stands first.
        return [*resembling(heard, alike, kept, joined=joined), *kept]
    except Exception:
        if not any(_pages(hit) or hit.opt_out for hit in hits):
            raise
        return list(hits)


def doubted(
    heard: Heard, alike: Alike, hits: Sequence[Hit], sentences: Iterable[Alike] = ()
) -> list[Hit]:
    """Return what the lists found, a person's decision in place of what no reader believes.

    Whoever says something harmless before or behind it is not believed less: among other words
    readers overhear a line that they know when it stands alone.
    """
    pages, ends = any(map(_pages, hits)), any(map(_ends_texts, hits))
    if not (pages or ends) or not _may_be_doubted(heard):
        return list(hits)
    no_page, no_end = pages and _everyday(alike), ends and _goes_on(alike)
    alone = list(sentences) if no_page or no_end else []
    found = list(hits)
    if no_page and all(map(_everyday, alone)):
        found = [_read_today(hit) if _pages(hit) else hit for hit in found]
    if no_end and not any(map(_ends, alone)):
        found = [_asked_about(hit) if _ends_texts(hit) else hit for hit in found]
    return found


def _may_be_doubted(heard: Heard) -> bool:
    """Say whether a text is such as readers learn to read, and holds no words of a clinic's own."""
    told = sum(word.isalpha() for word in heard.flat.words)
    plain = len(heard.folded) <= _MOST_LETTERS and told >= _FEWEST_WORDS
    return plain and not any(map(heard.words.are_a_clinics, heard.variants))


def _pages(hit: Hit) -> bool:
    return hit.severity is Severity.page_now


def _ends_texts(hit: Hit) -> bool:
    """Say whether a text ends texts by its words; a keyword does whatever it resembles."""
    return hit.opt_out and not hit.value


def _everyday(alike: Alike) -> bool:
    """Say whether each reader by itself holds danger for next to impossible.

    The slow one is asked last, and only where the quick ones do.
    """
    limits, quick = thresholds(), (alike.by_words, alike.in_order.first)
    return (
        all(danger_in(each) < limits.everyday for each in quick)
        and danger_in(alike.by_meaning.first) < limits.everyday_meant
    )


def _goes_on(alike: Alike) -> bool:
    """Say whether a text surely is about something else than a stop, and hardly a stop.

    What nobody can tell, or what may be danger, is nothing else.
    """
    likely, limits = alike.together.first, thresholds()
    label = max(likely, key=lambda each: likely[each])
    about = label != Intent.unclear and danger_in(likely) < limits.look
    return about and likely[label] >= limits.surely and ending_in(likely) <= limits.barely


def _ends(alike: Alike) -> bool:
    return ending_in(alike.together.first) >= thresholds().stop


def _read_today(hit: Hit) -> Hit:
    """Return that a person reads it today; a symptom stays one."""
    if hit.intent is Intent.side_effect:
        return replace(hit, severity=Severity.call_today, hint=Hint.possible_risk)
    return _asked_about(hit, Hint.possible_risk)


def _asked_about(hit: Hit, hint: Hint = Hint.maybe_stop) -> Hit:
    severity, language = Severity.call_today, hit.language
    return Hit(intent=Intent.unclear, severity=severity, hint=hint, language=language, aside=True)
