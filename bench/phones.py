"""Telephone numbers for as many patients as a benchmark needs, out of those kept for fiction."""

# The clinic's own number has the area code before this one.
_FIRST_AREA = 213
MOST = (1000 - _FIRST_AREA) * 100


def phone(number: int) -> str:
    """Return the telephone number of patient `number` (below MOST), another for each."""
    area, rest = divmod(number, 100)
    return f"+1{_FIRST_AREA + area}55501{rest:02d}"
