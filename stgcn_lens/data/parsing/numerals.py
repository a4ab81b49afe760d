"""Numbers as text files write them."""

from collections.abc import Iterable


def is_number(word: bytes) -> bool:
    """Whether a word is a number; "nan" and "inf" are some."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def first_wrong(words: Iterable[bytes]) -> str | None:
    """The first word that is no number, as an error shows it; None where all are numbers."""
    return next((repr(word[:40].decode(errors="replace")) for word in words if not is_number(word)), None)
