"""The catalogue of texts: wording per language, rendered strictly and checked before use.

A wording is plain text with bare names in braces. Nothing in it is evaluated: attributes, indexes,
formats and template languages are faults, so that a clinic's wording can reach no data of ours.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from messages import datafiles, segments
from messages.errors import (
    Fault,
    MissingVariable,
    TemplateError,
    UnknownLanguage,
    UnknownPlaceholder,
    UnknownTemplate,
)
from messages.formats import gsm
from messages.lint import lint
from messages.reading import Topic
from messages.wordtools import base_language


class TemplateKind(StrEnum):
    """Who began the conversation, which decides the gates a text must pass."""

    started = "started"
    answer = "answer"
    safety = "safety"


_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_BRACED = re.compile(r"\{[^{}]*\}|[{}]")
_SCALE = re.compile(r"scale:(\d+)-(\d+)")
_FIXED_CONTEXTS = {"appointment_reminder", "yes_no", "side_effect_check", "craving_scale", "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One language's text of a template, parsed once so that rendering is one C call."""

    text: str
    pattern: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text the product can send.

    `expects` is the context an answer is read in, or None; `topic` what it is about, where that
    changes what few words in answer say.
    """

    key: str
    kind: TemplateKind
    expects: str | None
    topic: Topic | None
    max_segments: int
    wordings: Mapping[str, Wording]


def parse(text: str) -> Wording:
    """Return the parsed wording. Faults of syntax are the business of `syntax_faults`."""
    names = tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))
    pattern = _PLACEHOLDER.sub(r"%(\1)s", text.replace("%", "%%"))
    return Wording(text=text, pattern=pattern, names=names)


# A clinic's names and numbers come again in every text; what was made plain once is remembered.
_in_gsm = lru_cache(maxsize=4096)(gsm)


def _faulty_braces(text: str) -> Iterator[str]:
    return (part for part in _BRACED.findall(text) if not _PLACEHOLDER.fullmatch(part))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalog:
    """All templates with the values they may name; immutable, so it can be shared by threads.

    One is another only if it is the same object, so that what was made of it can be remembered.
    """

    templates: Mapping[str, Template]
    samples: Mapping[str, Mapping[str, str]]
    overridden: frozenset[tuple[str, str]] = field(default=frozenset())

    def template(self, key: str) -> Template:
        """Return one template, or raise UnknownTemplate."""
        try:
            return self.templates[key]
        except KeyError:
            raise UnknownTemplate(key) from None

    def languages(self, key: str) -> tuple[str, ...]:
        return tuple(self.template(key).wordings)

    def variables(self, key: str) -> frozenset[str]:
        """Return the names that a template's wording needs, over all its languages."""
        wordings = self.template(key).wordings.values()
        return frozenset(name for wording in wordings for name in wording.names)

    def wording(self, key: str, language: str) -> Wording:
        """Return one language's wording ("es-US" finds "es"), or raise UnknownLanguage."""
        wordings = self.template(key).wordings
        found = wordings.get(language) or wordings.get(base_language(language))
        if found is None:
            raise UnknownLanguage(key, language, tuple(wordings))
        return found

    def render(self, key: str, language: str, variables: Mapping[str, str]) -> str:
        """Return the text to send.

        Values are never read as a template; letters outside GSM-7 are made plain ("Clínica" goes
        as "Clinica"), since one of them would cut a text's length to 70 letters. A name that the
        wording needs and that is absent or empty raises MissingVariable: half a sentence must not
        go out. Values the wording does not name are ignored: callers may offer all they have.
        """
        wording = self.wording(key, language)
        values = {name: _in_gsm(variables.get(name, "")) for name in wording.names}
        for name, value in values.items():
            if not value:
                raise MissingVariable(key, name)
        return wording.pattern % values

    def sample(self, key: str, language: str, given: Mapping[str, str] | None = None) -> str:
        """Return a template rendered with values of usual length, or with those `given`."""
        values = {name: by_lang[base_language(language)] for name, by_lang in self.samples.items()}
        return self.render(key, language, {**values, **(given or {})})

    def check(self, only: Collection[tuple[str, str]] | None = None) -> list[Fault]:
        """Return everything that makes a text unfit to send; a sound catalogue returns nothing.

        `only` names (template, language) where all else was checked before.
        """
        pairs = only if only is not None else self._pairs()
        return [
            Fault(template=key, language=language, message=message, mend=mend)
            for key, language in pairs
            for message, mend in self._check_one(self.templates[key], language)
        ]

    def _pairs(self) -> list[tuple[str, str]]:
        return [(key, one) for key in self.templates for one in self.languages(key)]

    def _check_one(self, template: Template, language: str) -> Iterator[tuple[str, str]]:
        text = template.wordings[language].text
        syntax = list(syntax_faults(text, frozenset(self.samples)))
        if syntax:
            yield from syntax
            return
        yield from _content_faults(template, text)
        rendered = self.sample(template.key, language)
        yield from _length_faults(template, rendered)
        for finding in lint(rendered, language=language, template_key=template.key):
            yield f"it says {finding.word!r}", finding.mend

    def with_overrides(self, mapping: Mapping[str, Mapping[str, str]]) -> "Catalog":
        """Return a catalogue with a clinic's own wording: {key: {language: text}}.

        Raises TemplateError (UnknownPlaceholder where that is the trouble) with every fault found,
        and UnknownTemplate for a key that does not exist.
        """
        changed = dict(self.templates)
        for key, texts in mapping.items():
            template = self.template(key)
            own = {base_language(language): parse(text) for language, text in texts.items()}
            wordings = MappingProxyType({**template.wordings, **own})
            changed[key] = replace(template, wordings=wordings)
        pairs = {(key, base_language(one)): None for key, texts in mapping.items() for one in texts}
        worded = replace(
            self,
            templates=MappingProxyType(changed),
            overridden=self.overridden | pairs.keys(),
        )
        return checked(worded, only=list(pairs))


_UNKNOWN = "is not a value that texts can name"


def syntax_faults(text: str, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what a wording may not contain: anything in braces but a known bare name."""
    for part in _faulty_braces(text):
        yield f"{part!r} is not a bare name in braces", "Write a name alone, like {phone}."
    for name in parse(text).names:
        if name not in known:
            listed = ", ".join(sorted(known))
            yield f"{{{name}}} {_UNKNOWN}", f"Use one of: {listed}."


def _content_faults(template: Template, text: str) -> Iterator[tuple[str, str]]:
    if not text.strip():
        yield "it is empty", "Write a text."
    # Care rule 30: a text out of the blue says who it is from.
    if template.kind is TemplateKind.started and "{sms_name}" not in text:
        yield "it does not name the clinic", "Put {sms_name} in."
    expects = template.expects or "none"
    if expects not in _FIXED_CONTEXTS and not _SCALE.fullmatch(expects):
        yield f"{expects!r} is not a way to read an answer", "See the head of catalog.yaml."
    for end in _scale_ends(expects):
        if not re.search(rf"(?<!\d){end}(?!\d)", text):
            yield f"its scale reaches {end}, which the text does not say", "Name both ends."


def _scale_ends(expects: str) -> tuple[str, ...]:
    """Return the figures that a text asking on a scale must name (care rule 23)."""
    scale = _SCALE.fullmatch(expects)
    if scale:
        return scale.groups()
    return {"craving_scale": ("0", "10"), "side_effect_check": ("0", "3")}.get(expects, ())


def _length_faults(template: Template, rendered: str) -> Iterator[tuple[str, str]]:
    size = segments.count(rendered)
    if size.segments > template.max_segments:
        taken = f"{size.segments} parts ({size.units} units in {size.encoding})"
        mend = "Shorten it, and keep to GSM-7 letters."
        yield f"it takes {taken} where {template.max_segments} is allowed", mend


def checked(catalog: Catalog, only: Collection[tuple[str, str]] | None = None) -> Catalog:
    """Return the catalogue itself if nothing is wrong with it, else raise TemplateError.

    `only` names (template, language) where all else was checked before.
    """
    faults = catalog.check(only)
    if not faults:
        return catalog
    unknown = any(_UNKNOWN in fault.message for fault in faults)
    raise (UnknownPlaceholder if unknown else TemplateError)(faults)


def build(
    attributes: Mapping[str, Mapping[str, Any]],
    texts: Mapping[str, Mapping[str, str]],
    samples: Mapping[str, Mapping[str, str]],
) -> Catalog:
    """Return a checked catalogue from its parts: what each text is for, {language: {key: text}}."""
    faults = [*_gaps(attributes, texts)]
    if faults:
        raise TemplateError(faults)
    templates = {key: _template(key, about, texts) for key, about in attributes.items()}
    return checked(Catalog(templates=MappingProxyType(templates), samples=samples))


def _gaps(
    attributes: Mapping[str, Mapping[str, Any]], texts: Mapping[str, Mapping[str, str]]
) -> Iterator[Fault]:
    for language, worded in texts.items():
        for key in sorted(attributes.keys() ^ worded.keys()):
            message = "it has no wording" if key in attributes else "catalog.yaml does not list it"
            yield Fault(template=key, language=language, message=message, mend="Add it.")


def _template(
    key: str, about: Mapping[str, Any], texts: Mapping[str, Mapping[str, str]]
) -> Template:
    wordings = {language: parse(worded[key]) for language, worded in texts.items()}
    return Template(
        key=key,
        kind=TemplateKind(about["kind"]),
        expects=about.get("expects"),
        topic=Topic(about["topic"]) if "topic" in about else None,
        max_segments=int(about.get("segments", 1)),
        wordings=MappingProxyType(wordings),
    )


@cache
def shipped() -> Catalog:
    """Return the texts that ship with the product, read and checked once per process."""
    about = datafiles.load("templates/catalog.yaml")
    languages = [name for name in datafiles.stems("templates") if name != "catalog"]
    files = {language: datafiles.load(f"templates/{language}.yaml") for language in languages}
    texts = {
        language: {key: entry["text"] for key, entry in entries.items()}
        for language, entries in files.items()
    }
    return build(about["templates"], texts, about["placeholders"])
