"""A clinic's own wording: what it may change of the shipped texts, and what it always keeps.

    clinic file's `wording` -> faults(), before it is applied -> spoken(), at each render

What holds for every text (length, letters, privacy, the carrier's words) is the catalogue's own
check. Here is what the shipped wording of the same text and language has that must not get lost:
its values, the letters and words that are read as answers, 911 and 988, and the way out.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from messages import datafiles
from messages.errors import Fault, TemplateError
from messages.templates import Catalog, TemplateKind, parse

#: A clinic's texts: the template's key, and by language what is said instead of the shipped words.
Own = Mapping[str, Mapping[str, str]]

#: These can be filled in whatever a text is about.
_ALWAYS_KNOWN = frozenset({"sms_name", "phone", "until", "window"})
#: Where a visit takes place is worth knowing, and no harm is done where it is left out.
_MAY_BE_LEFT_OUT = frozenset({"place"})
#: Letters that stand alone and are read as an answer.
_ANSWERED_WITH = re.compile(r"(?<![\w{])[BCLNRSY](?![\w}])")
#: A question of these kinds has no rules that hang on its words.
_ASKS_NOTHING_TO_JUDGE = frozenset({None, "none", "appointment_reminder"})


def faults(catalog: Catalog, own: Own, values: Mapping[str, str]) -> list[Fault]:
    """Return everything that makes a clinic's own wording unfit; a sound one returns nothing.

    `catalog` is the shipped one. `values` are the clinic's own for the names that texts may use
    (`sms_name`, `phone`, `link`), since lengths are those of what is really sent.
    """
    return [fault for key in own for fault in _faults_of(catalog, key, own[key], values)]


def spoken(catalog: Catalog, own: Own, values: Mapping[str, str]) -> Catalog:
    """Return the catalogue with a clinic's wording in it.

    A text that no longer fits what the product ships now (it was sound when it was applied) is
    left at the shipped words: it may not cost a patient the text. `faults` tells of it.
    """
    sound = {
        key: {
            language: text
            for language, text in texts.items()
            if not list(_faults_of(catalog, key, {language: text}, values))
        }
        for key, texts in own.items()
    }
    sound = {key: texts for key, texts in sound.items() if texts}
    return _speaking(catalog, values).with_overrides(sound) if sound else catalog


def is_safety(catalog: Catalog, key: str) -> bool:
    """Whether the words of a text are safety content, so that a second person approves them.

    A safety reply is, and what names 911, 988 or driving in any language, what says when to stop
    eating, and a question whose answer may call somebody: what a 7 or a Y means hangs on its words.
    """
    template = catalog.template(key)
    if template.kind is TemplateKind.safety or template.expects not in _ASKS_NOTHING_TO_JUDGE:
        return True
    marks = set(datafiles.load("data/own_wording.yaml")["safety"])
    said = {
        name
        for language, wording in template.wordings.items()
        for name, pattern in _patterns("kept", language).items()
        if pattern.search(wording.text)
    }
    return bool(said & marks) or bool({"food", "liq"} & catalog.variables(key))


def _faults_of(
    catalog: Catalog, key: str, texts: Mapping[str, str], values: Mapping[str, str]
) -> Iterator[Fault]:
    if key not in catalog.templates:
        near = difflib.get_close_matches(key, catalog.templates, n=1, cutoff=0.6)
        mend = f"Did you mean {near[0]}?" if near else "See `aftercare clinic wording`."
        yield Fault(template=key, language="any", message="there is no such text", mend=mend)
        return
    for language, text in texts.items():
        for message, mend in _lost(catalog, key, language, text):
            yield Fault(template=key, language=language, message=message, mend=mend)
    try:
        _speaking(catalog, values).with_overrides({key: texts})
    except TemplateError as error:
        yield from error.faults


def _speaking(catalog: Catalog, values: Mapping[str, str]) -> Catalog:
    """Return the catalogue with a clinic's values for samples, in every language."""
    own = {
        name: MappingProxyType(dict.fromkeys(catalog.samples[name], value))
        for name, value in values.items()
    }
    return replace(catalog, samples=MappingProxyType({**catalog.samples, **own}))


def _lost(catalog: Catalog, key: str, language: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield what the shipped wording has and this one must not do without, and the reverse."""
    shipped = catalog.wording(key, language)
    named = set(parse(text).names)
    for name in shipped.names:
        if name not in named | _MAY_BE_LEFT_OUT:
            yield f"it no longer says {{{name}}}", f"Put {{{name}}} in."
    for name in sorted(named & catalog.samples.keys() - catalog.variables(key) - _ALWAYS_KNOWN):
        known = ", ".join(sorted(catalog.variables(key) | _ALWAYS_KNOWN))
        yield f"{{{name}}} is not known for this text", f"Use one of: {known}."
    for letter in _missing(_ANSWERED_WITH.findall(shipped.text), _ANSWERED_WITH.findall(text)):
        yield f'it no longer asks for "{letter}"', f"Say what to reply {letter} for."
    for name, pattern in _patterns("kept", language).items():
        if pattern.search(shipped.text) and not pattern.search(text):
            yield f'it no longer says "{name}"', "Say it, as the shipped wording does."
    for name, pattern in _patterns("promised", language).items():
        if pattern.search(text) and not pattern.search(shipped.text):
            mend = "This text also goes when nobody is there: leave the promise out."
            yield f"it promises {name}", mend


def _missing(wanted: Iterable[str], there: Iterable[str]) -> list[str]:
    return sorted(set(wanted) - set(there))


@cache
def _patterns(kind: str, language: str) -> Mapping[str, re.Pattern[str]]:
    """Return the compiled patterns of a language by the name that people read."""
    written = datafiles.load("data/own_wording.yaml")[kind].get(language, {})
    return {str(name): re.compile(pattern) for name, pattern in written.items()}
