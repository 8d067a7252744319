"""One patient from a form: the cells of `patients.csv`, read by the same code as a file's.

A form asks beyond that what a file may leave open (did they agree or not?), completes what only a
form knows (the wording that was shown), and says what is wrong in words that fit it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from messages import consent
from worker.intake import values
from worker.intake.patients import KnownClinic, PatientReader, PatientRow
from worker.intake.table import CellError, Row, RowFault
from worker.intake.written import TYPED

#: How a patient may have agreed, as the ledger has it; or that they have not, yet.
METHODS = ("paper", "electronic", "verbal")
NOT_YET = "not_yet"
_ZEROS = "another patient's id differs by zeros in front; if they are one, use that id"
_LINE = 1
_CONSENT = ("consent_method", "consented_at", "consent_purposes", "consent_version", "sms_risk_ack")
_NO_METHOD = "say how they agreed, or that they have not yet"
_NO_PURPOSE = "tick what they agreed to, or say above that they have not agreed yet"
_NOT_AGREED = "they have not agreed yet as it stands above: untick it, or say how they agreed"
_NO_WARNING = (
    "this clinic texts nobody who was not told that texts are not private: tell them, and tick it "
    "if they want texts all the same; or say above that they have not agreed yet"
)
_HALF_HOURS = "give both hours, or leave both empty"
# What a reader of files says, by how it begins, and what a form says in its place or adds to it.
_INSTEAD = {
    "it is empty, and consent_purposes": "say when they agreed",
    "it is empty": "fill it in",
    "a patient is on record whose id differs by zeros": _ZEROS,
    "a spreadsheet": "write it as your record system has it, without decimals and signs",
}
_MENDS = {
    "it is longer than": "shorten it",
    "it has a line break or a control character": "delete it and type it anew",
    "it lies in the future": "give the day and hour when they agreed",
    "not a usable phone number": "write all ten digits, such as 212-555-0100",
}


def read(
    typed: Mapping[str, str], clinic: KnownClinic, *, now: datetime
) -> tuple[PatientRow | None, list[RowFault]]:
    """Return what was typed as a row, or everything that is wrong with it, one fault a field.

    `typed` is by the columns of `patients.csv`, with `safe_from` and `safe_until` for the hours.
    """
    cells = {name: text.strip() for name, text in typed.items()}
    faults = list(_left_open(cells, clinic))
    opens, closes = cells.pop("safe_from", ""), cells.pop("safe_until", "")
    cells["safe_hours"] = f"{opens}-{closes}" if opens and closes else ""
    cells["clinic"] = clinic.key
    cells["language"] = cells["language"].casefold() or clinic.file.languages[0]
    _complete(cells)
    reader = PatientReader(frozenset(cells), [clinic], now=now, written=TYPED)
    good, found = reader.read([Row(line=_LINE, cells=cells)])
    known = {fault.column for fault in faults}
    faults += [in_its_words(fault) for fault in found if fault.column not in known]
    return (good[0] if good and not faults else None), faults


def in_its_words(fault: RowFault) -> RowFault:
    """Return a fault of a file's cell as a form says it."""
    reason = fault.reason
    for begins, words in _INSTEAD.items():
        if reason.startswith(begins):
            return RowFault(line=_LINE, column=fault.column, reason=words)
    mend = next((words for begins, words in _MENDS.items() if reason.startswith(begins)), None)
    if mend is not None:
        reason = f"{reason}; {mend}"
    elif fault.column == "safe_hours":
        reason = reason.replace("write it as 09:00-17:00", "write each as 09:00")
    return RowFault(line=_LINE, column=fault.column, reason=reason)


def fault(column: str, reason: str) -> RowFault:
    """Return a fault of a form's field."""
    return RowFault(line=_LINE, column=column, reason=reason)


def _left_open(cells: Mapping[str, str], clinic: KnownClinic) -> Iterator[RowFault]:
    """Find what a file may leave open, and whoever sits before the patient may not."""
    method, purposes = cells["consent_method"], cells["consent_purposes"]
    if method not in (*METHODS, NOT_YET):
        yield fault("consent_method", _NO_METHOD)
    elif method == NOT_YET and purposes:
        yield fault("consent_purposes", _NOT_AGREED)
    elif method != NOT_YET and not purposes:
        yield fault("consent_purposes", _NO_PURPOSE)
    elif purposes and clinic.file.require_sms_risk_ack and cells["sms_risk_ack"] != "yes":
        yield fault("sms_risk_ack", _NO_WARNING)
    if bool(cells["safe_from"]) != bool(cells["safe_until"]):
        yield fault("safe_hours", _HALF_HOURS)
    try:
        values.short(cells["substances"])
    except CellError as error:
        yield in_its_words(fault("substances", str(error)))


def _complete(cells: dict[str, str]) -> None:
    """Leave out what was said of a consent that was not given; name the wording of one that was."""
    if cells["consent_method"] in METHODS:
        shown = consent.version_in(cells["language"])
        cells["consent_version"] = cells["consent_version"] or shown
    else:
        cells.update(dict.fromkeys(_CONSENT, ""))
