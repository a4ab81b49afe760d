"""Results as tables that other programs read: one line a number."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def numbers(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Every number in nested results as (place, number), for a table that other programs read."""
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in numbers(item, f"{prefix}{key}.")]
    if isinstance(value, list):
        return [pair for place, item in enumerate(value) for pair in numbers(item, f"{prefix}{place}.")]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return []
    return [(prefix.removesuffix("."), value)]


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows under these columns; what a row does not have stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def numbers_csv(results: Mapping[str, Any]) -> str:
    """Every number of nested results under `place` and `value`."""
    return as_csv(({"place": place, "value": value} for place, value in numbers(results)), ("place", "value"))
