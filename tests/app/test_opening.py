"""The first page waits for no network, and says what the network would have said."""

import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from streamlit.web.server.starlette import starlette_server

from app import compute, launch, opening, sources
from tests.app.conftest import MAIN
from tests.app.test_pages import errors, words

FIRST_PAGE = """
import sys
sys.argv = ["app", "--root", sys.argv[1]]
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({main!r}, default_timeout=60)
app.run()
assert not app.exception and not app.error, (app.exception, app.error)
print(any("the evidence for" in element.value for element in app.markdown))
print(sorted(set(sys.modules) & {{"torch", "pandas", "altair", "captum", "numba"}}))
"""


def test_what_is_kept_is_what_the_network_says():
    kept, source = opening.read(), sources.demo("live", None)
    assert kept is not None, "made with other weights: run `python -m app.opening`"
    held = compute.model(str(opening.CHECKPOINT), "live").loaded
    assert kept.layers == (*held.model.layers, "logits")
    assert kept.classes == held.classes
    clips = [source.clip(row) for row in source.rows]
    said = compute.predict_all(str(opening.CHECKPOINT), "live", clips)
    np.testing.assert_allclose(kept.probabilities, said, atol=1e-4)
    row = source.rows[kept.number]
    assert (row.right, row.confidence) == (True, max(each.confidence for each in source.rows if each.right))
    shown, live = compute.explain(source, row, None), compute.live(source, row)
    np.testing.assert_array_equal(shown.clip.xyz, live.clip.xyz)
    assert (shown.target, shown.no_evidence, list(shown.maps)) == (live.target, live.no_evidence, list(live.maps))
    for layer, map in live.maps.items():
        np.testing.assert_allclose(shown.maps[layer], map, atol=1e-3 * map.max())


def test_the_first_page_of_the_demo_needs_neither_torch_nor_tables(tmp_path):
    line = [sys.executable, "-c", FIRST_PAGE.format(main=str(MAIN)), str(tmp_path)]
    told = subprocess.run(line, cwd=MAIN.parents[1], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split("\n")[:2] == ["True", "[]"]


@pytest.mark.parametrize("how", ["other weights", "cut short", "not there", "no numbers"])
def test_what_cannot_be_trusted_is_not_read(tmp_path, how):
    for name in ("model.json", opening.FILE):
        shutil.copy(opening.CHECKPOINT / name, tmp_path / name)
    kept = tmp_path / opening.FILE
    if how == "other weights":
        about = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps({**about, "weights_sha256": "0" * 64}))
    elif how == "cut short":
        kept.write_bytes(kept.read_bytes()[:-5000])
    elif how == "not there":
        kept.unlink()
    else:
        np.savez(kept, weights_sha256=np.array(["x"], dtype=object))
    assert opening.read(tmp_path) is None


def test_answers_are_sent_as_they_come(monkeypatch):
    monkeypatch.setattr(starlette_server, "_bind_server_socket", starlette_server._bind_server_socket)
    launch._answer_at_once()
    listening, _ = starlette_server._bind_server_socket("127.0.0.1", "127.0.0.1", 0, 4)
    with listening, socket.create_connection(listening.getsockname()):
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_core_is_left_to_the_browser_unless_one_says_otherwise(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    launch._leave_a_core()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["NUMBA_NUM_THREADS"]) == ("7", "3")
    monkeypatch.delenv("OMP_NUM_THREADS")


def test_a_run_opens_on_its_clip_while_the_network_is_being_loaded(open_app, whole, monkeypatch):
    opening.loading.set()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(compute, "model", lambda *_: pytest.fail("waited for the network"))
            app = open_app(whole, layer="block_3")
        assert errors(app) == []
        assert app.select_slider("layer").value == "block_3"
        assert "The network is being loaded" in words(app)
    finally:
        opening.loading.clear()
    app.run()
    assert errors(app) == []
    assert "At block_3 " in words(app)
