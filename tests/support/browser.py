"""The system's Chromium for the tests of pages; a machine without one skips them, CI fails."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Root has no user namespace to sandbox in, and pages are our own; no name is looked up outside.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def find() -> str | None:
    """Return the browser's program: AFTERCARE_CHROMIUM, or the first known name on the PATH."""
    named = os.environ.get("AFTERCARE_CHROMIUM")
    candidates = [named] if named else _NAMES
    return next((found for name in candidates if (found := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield the browser, or skip (on CI: fail) when the machine has none."""
    program = find()
    if program is None:
        message = "no Chromium found: `make browser` installs it or says how"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    # The Makefile asks this way whether it has to install one.
    sys.exit(0 if find() else "no Chromium found")
