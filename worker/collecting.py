"""What lives as long as its process is made without looking for garbage in it, then and later."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def never_looked_through() -> Iterator[None]:
    """Keep the garbage collector from what is made in the block, and from all there is by its end.

    To look through modules, word lists and weights while they are read takes a third of the time
    of reading them; to look through them later, every few seconds, a sixth of a burst's.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
