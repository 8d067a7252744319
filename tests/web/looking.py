"""What tests of pages do in a browser: sign in, and look at a page as a whole."""

from pathlib import Path

from playwright.sync_api import Page

from tests.web.house import PASSWORD


def sign_in(page: Page, base: str, shot: Path) -> None:
    """Sign in as Kim, with a picture of the form."""
    page.goto(base)
    page.screenshot(path=shot)
    page.get_by_label("E-mail").fill("kim@clinic.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Follow-ups").wait_for()


def shot(page: Page, path: Path) -> None:
    """Keep a picture, and see that nothing is wider than the screen and every field is labelled."""
    page.screenshot(path=path, full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        ".filter(field => !field.labels.length).length"
    )
    assert unlabelled == 0
