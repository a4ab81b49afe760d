"""The selection: what the URL may choose and what it may not, and lists that stay short for many clips."""

import json
import shutil
from pathlib import Path

import pytest

from app import compute, sources, state
from tests.app.test_pages import errors, words

EVIL = "<script>alert(1)</script>"


@pytest.mark.parametrize("place", ["../../etc", "/etc", "..", "small/../../../etc", "%2e%2e/etc", "~"])
def test_a_path_in_the_url_opens_nothing_but_the_runs_that_are_offered(open_app, whole, place):
    app = open_app(whole, run=place)
    assert errors(app) == []
    assert app.selectbox("run").value == "small"
    assert app.selectbox("run").options == ["small", state.DEMO]


@pytest.mark.parametrize("key", ["clip", "layer", "class", "against", "method", "view", "only"])
def test_nonsense_in_the_url_is_left_out(open_app, whole, key):
    app = open_app(whole, **{key: EVIL})
    assert errors(app) == []
    assert EVIL not in "\n".join(element.value for element in (*app.markdown, *app.caption))


def test_of_many_clips_some_are_listed_and_all_can_be_named(open_app, whole, monkeypatch):
    every = open_app(whole).selectbox("clip").options
    monkeypatch.setattr(state, "MANY", 5)
    app = open_app(whole)
    listed = app.selectbox("clip").options
    assert len(listed) in (5, 6)
    assert set(listed) < set(every)
    hidden = next(name for name in every if name not in listed)
    app = open_app(whole, clip=hidden)
    assert errors(app) == []
    assert app.selectbox("clip").value == hidden
    assert "No clip is called" not in words(app)
    app = open_app(whole, clip="../../etc/passwd")
    assert errors(app) == []
    assert f"No clip is called ../../etc/passwd. Shown: {listed[0]}." in words(app)


def test_a_class_called_script_stays_a_name(open_app, copy):
    app = open_app(evil(copy))
    assert errors(app) == []
    assert EVIL in app.selectbox("class").options
    app = open_app(copy, only=EVIL, against="clap", **{"class": EVIL})
    assert errors(app) == []
    text = "\n".join(element.value for element in (*app.markdown, *app.caption))
    assert state.plain(EVIL) in text
    assert EVIL not in text.replace(state.plain(EVIL), "")


def test_what_the_app_opens_on_is_ready_before_anybody_asks(whole, monkeypatch, tmp_path):
    compute._explain.clear()
    assert state.warm(["--run", str(whole)])  # its page begins without the network
    assert not state.warm(["--run", str(whole)], live=True)
    source = sources.open_source(str(whole), sources.stamp(whole))
    best = max(source.rows, key=lambda row: (row.right, row.confidence))
    monkeypatch.setattr(compute, "feed", lambda *_: pytest.fail("explained again"))
    assert compute.explain(source, best, None).maps
    (tmp_path / "none").mkdir()
    assert not state.warm(["--run", str(tmp_path / "none")])  # no run: the page says so, the start does not fail


def evil(run: Path) -> Path:
    """A run whose class "throw" is called otherwise."""
    for name in ("model.json", "data/clipset.json"):
        about = json.loads((run / name).read_text())
        about["classes"] = [EVIL if text == "throw" else text for text in about["classes"]]
        (run / name).write_text(json.dumps(about))
    table = run / "clips.csv"
    table.write_text(table.read_text().replace(",throw,", f",{EVIL},"))
    shutil.rmtree(run / "saliency", ignore_errors=True)
    return run
