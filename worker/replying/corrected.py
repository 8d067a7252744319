"""A number that corrects the one just given: "sorry, 3" after an 8 (care rule 18).

Of several numbers for one question the last that says it corrects holds, else the first; this is
so in whatever order the texts reach us. Every text is kept, and so is whom the first one called.
"""

import re

from messages.lexicon import lexicon
from messages.wordtools import fold

# How chats mark a correction: *3, or 3*.
_STARRED = re.compile(r"\*\s*\d{1,3}|\d{1,3}\s*\*")


def corrects(body: str) -> bool:
    """Return whether the words say that a number replaces one: "oops 3", "3 not 8", "*3"."""
    lists = lexicon()
    said = fold(body).strip()
    if _STARRED.fullmatch(said) or lists.prefers.pattern.search(said):
        return True
    words = [str(lists.number_words.get(word, word)) for word in said.split()]
    # The lists know two numbers with these words between; here the other stands in a text before.
    ends = [f"0 {' '.join(words[at:])}" for at in range(len(words))]
    trailing = lists.corrects.pattern.fullmatch(f"{' '.join(words)} 0")
    return trailing is not None or any(lists.corrects.pattern.match(end) for end in ends)
