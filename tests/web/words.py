"""The words of a page, as whoever reads it has them."""

import re
from html import unescape


def words(html: str) -> str:
    """Return a page without its marks, its words a space apart."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
