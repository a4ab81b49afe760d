"""A page to keep: text stays text, pictures keep apart, nothing is asked of a network."""

import re

import numpy as np

from stgcn_lens.skeleton import get_layout
from stgcn_lens.viz import page, player
from tests.data import people

SVG = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><g id="a"/><use href="#a" fill="url(#a)"/></svg>'
EVIL = "<script>alert(1)</script>"


def test_names_stay_text_and_pictures_have_ids_of_their_own():
    text = page.build(EVIL, EVIL, [(EVIL, SVG), ("two", SVG)])
    assert EVIL not in text
    assert text.count("&lt;script&gt;") == 4
    assert re.findall(r'id="([^"]+)"', text) == ["picture0-a", "picture1-a"]
    assert re.findall(r"#([\w-]+a)\b", text) == ["picture0-a", "picture0-a", "picture1-a", "picture1-a"]


def test_the_player_plays_in_it_and_nothing_is_loaded(browser, tmp_path):
    clip = people.clip(20, 1, seed=2)
    panel = player.payload(
        clip.xyz, clip.valid, get_layout("ntu25"), name="a", title=EVIL, saliency=np.ones((20, 25, 1))
    )
    file = tmp_path / "page.html"
    file.write_text(page.build("A view", "What it shows.", [("curve", SVG)], player.scene([panel], height=200)))
    asked = []
    tab = browser.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    tab.locator("canvas.sl-view").wait_for()
    assert tab.locator("figure svg").count() == 1
    assert asked == [file.as_uri()]
    tab.close()
