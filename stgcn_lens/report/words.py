"""Numbers and texts as sentences have them."""

from typing import Any

_DASH = "\N{EN DASH}"


def two(value: float | None) -> str:
    """Two decimals; a dash where there is no number."""
    return _DASH if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal."""
    return _DASH if value is None else f"{100 * value:.1f} %"


def span(entry: dict[str, Any]) -> str:
    """A value with its interval."""
    return f"{two(entry['value'])} [{two(entry['ci_low'])}, {two(entry['ci_high'])}]"


def begun(text: str) -> str:
    """The text as a sentence begins; a name such as kNN stays as it is."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def escaped(text: str) -> str:
    """Text that Markdown does not take for markup."""
    return "".join(f"\\{sign}" if sign in "\\`*<>[]#|" else sign for sign in text)
