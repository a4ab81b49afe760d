"""Pages that need no network: a template, the style sheet and the numbers in one file."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stgcn_lens.report import results, words
from stgcn_lens.viz import theme

_HERE = Path(__file__).parent


def render(template: str, **context: Any) -> str:
    """A template of this folder with these values; text in them is never taken for markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "two": words.two,
        "percent": words.percent,
        "span": words.span,
        "flat": results.flat,
    }
    css = theme.css() + (_HERE / "report.css").read_text() + _print_colours()
    return environment.get_template(template).render(css=Markup(css), **context)


def _print_colours() -> str:
    """Paper is light, whatever the screen prefers."""
    tokens = ";".join(f"--sl-{name}:{value}" for name, value in theme.LIGHT.items())
    return f"@media print{{:root{{{tokens}}}}}"
