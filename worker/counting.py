"""How a number of things is said, by commands and in what they refuse."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return "1 text" or "3 texts"; `many` where the plural is more than an s at the end.

    A verb goes with its noun: `counted(n, "visit was cancelled", "visits were cancelled")`.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
