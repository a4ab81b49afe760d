"""One page of figures and clips that needs no network."""

import html as markup
import re
from collections.abc import Sequence

from stgcn_lens.viz import player, theme

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_LOOK = (
    "body{margin:16px auto;max-width:1100px;padding:0 16px;background:var(--sl-background);color:var(--sl-text);"
    "font-family:system-ui,sans-serif;line-height:1.5}h1{font-size:20px}figure{margin:18px 0}"
    "figure svg{max-width:100%;height:auto}figcaption{color:var(--sl-muted);font-size:13px}"
)


def build(title: str, sentence: str, pictures: Sequence[tuple[str, str]], scene: player.Scene | None = None) -> str:
    """The page as HTML.

    Parameters
    ----------
    title, sentence : texts, never markup.
    pictures : (name, SVG) in their order; the SVG is taken as it is.
    scene : what plays below them, from `player.scene`.
    """
    parts = [
        f"<figure>{_inline(picture, place)}<figcaption>{markup.escape(name)}</figcaption></figure>"
        for place, (name, picture) in enumerate(pictures)
    ]
    if scene is not None:
        data = player.json_in_html(scene)
        parts.append(f'<div><script type="application/json" data-stgcn-player>{data}</script></div>{player.assets()}')
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{markup.escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{theme.css()}{_LOOK}</style></head><body>"
        f"<h1>{markup.escape(title)}</h1><p>{markup.escape(sentence)}</p>{''.join(parts)}</body></html>\n"
    )


def _inline(svg: str, place: int) -> str:
    """A picture with ids of its own: two pictures may use the same."""
    text = svg[svg.index("<svg") :]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>picture{place}-", text)
