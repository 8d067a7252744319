"""What is to be known of all texts of a preview, in the same sentences wherever one is shown."""

from worker.preview import Calendar

_ZONE_UNKNOWN = (
    "The patient's own zone is not known: texts go only at minutes that are allowed wherever the "
    "patient may be."
)


def of_times(calendar: Calendar) -> str:
    """Say whose clock the times are of."""
    whose = "" if calendar.zone_is_known else " (the clinic's)"
    return f"Times are those of {calendar.zone.key}{whose}."


def where_unknown(calendar: Calendar) -> list[str]:
    """Say what follows where nobody knows the patient's zone."""
    return [] if calendar.zone_is_known else [_ZONE_UNKNOWN]
