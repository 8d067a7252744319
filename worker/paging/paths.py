"""Which ways to page staff there are, and whether they are enough (care rule 13).

A path is independent when it does not use the texts' own account: when that is suspended, or its
carrier is down, texts to staff and calls by it fail together with the patients' texts.
"""

from collections.abc import Iterable, Iterator

from schedules.clinic import AfterHours, ClinicFile
from worker.settings import Settings


def independent(settings: Settings) -> dict[str, bool]:
    """Return the independent paths by name, each with whether it wakes somebody."""
    found: dict[str, bool] = {}
    if settings.page_account_sid:
        found["a second account's calls"] = True
    if settings.page_webhook_url:
        found["the paging webhook"] = True
    if settings.smtp_url:
        found["e-mail"] = False
    return found


def faults(settings: Settings, files: Iterable[ClinicFile]) -> Iterator[str]:
    """Name what is missing so that pages reach somebody, clinic by clinic."""
    paths = independent(settings)
    for file in files:
        if not file.on_call and file.lead is None:
            yield f"{file.id}: nobody is paged: its file names no on_call and no lead"
        if not paths:
            yield (
                f"{file.id}: no way to page staff without the texts' account: set SMTP_URL, "
                "AFTERCARE_PAGE_WEBHOOK_URL or the second account's settings"
            )
        elif file.after_hours is AfterHours.ON_CALL and (len(paths) < 2 or not any(paths.values())):
            yield (
                f"{file.id}: with people on call two independent ways are needed, one of them "
                f"waking; there is {', '.join(paths)}"
            )
