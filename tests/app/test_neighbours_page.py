"""The page of neighbours: the vote, time along the warping path, the graph drawn, and change with depth."""

import shutil

import numpy as np

from app import company, explaining, sources, vicinity
from app.state import Selection
from stgcn_lens.runs import Run
from stgcn_lens.studies.neighbours import NeighboursConfig, neighbours
from tests.app import made
from tests.app.test_pages import errors, words


def chosen(run, clip: int, layer: str) -> Selection:
    source = sources.open_source(str(run), sources.stamp(run))
    return made.selection(source, source.rows[clip], layer)


def test_what_is_told_is_what_the_command_tells_and_nothing_is_written(copy):
    here = chosen(copy, 3, "block_5")
    found = explaining.told(here)
    assert not (copy / "neighbours").exists()
    about = neighbours(Run.open(copy), NeighboursConfig(here.clip.name, "block_5"))
    assert found.about is not None
    assert found.about["vote"] == about["vote"]
    text = explaining.sentence(found).replace("\\", "")
    assert f"**{about['vote']['winner']}**" in text
    assert ("not the prediction" in text) == (not about["vote"]["agrees"])
    assert f"{about['vote']['predicted_share']:.0%} of the weight" in text


def test_time_follows_the_warping_path(whole):
    here = chosen(whole, 0, "block_2")
    found = explaining.told(here)
    name = found.about["neighbours"][0]["name"]
    along = found.frame_map(name, (40, 60))
    assert along[[0, -1]].tolist() == [0, 59]
    assert (np.diff(along) >= 0).all()
    assert found.frame_map("nobody", (40, 60)) is None


def test_the_page_says_the_vote_and_who_stays_and_offers_the_neighbours(open_app, whole):
    app = open_app(whole, "neighbours", layer="block_5")
    assert errors(app) == []
    text = words(app)
    assert "Their vote is" in text
    assert "From block_4 to **block_5**" in text
    assert "edges join two classes" in text
    assert "without it" in app.dataframe[0].value.columns


def test_who_stays_comes_and_goes_is_what_the_graphs_say(whole):
    here = chosen(whole, 4, "block_3")
    seen = company.of(here)
    sets = []
    for layer in ("block_2", "block_3"):
        graph = np.load(whole / f"graphs/{layer}.npz")
        sets.append({int(j) for j, w in zip(graph["indices"][4], graph["nnk_weights"][4], strict=True) if w > 0})
    stay, come, go = len(sets[0] & sets[1]), len(sets[1] - sets[0]), len(sets[0] - sets[1])
    text = company.sentence(seen, "block_3").replace("\\", "")
    assert f"{stay} of its NNK neighbours stay, {come} come, {go} go" in text
    assert company.sentence(seen, "input") == ""


def test_the_drawing_holds_the_clip_its_neighbours_and_marks_edges_between_classes(whole):
    here = chosen(whole, 1, "block_5")
    clips, edges, left_out = vicinity.tables(str(whole), here.source.stamp, "block_5", 1, here.source.rows)
    assert clips["name"].iloc[0] == here.clip.name
    graph = np.load(whole / "graphs/block_5.npz")
    beside = {
        here.source.rows[j].name for j, w in zip(graph["indices"][1], graph["nnk_weights"][1], strict=True) if w > 0
    }
    assert set(clips["name"][clips["steps"] == 1]) == beside
    classes = dict(zip(clips["name"], clips["class"], strict=True))
    for _, line in edges.iterrows():
        a, b = (classes[name] for name in line["ends"].split(" · "))
        assert line["edge"] == (vicinity.WITHIN if a == b else vicinity.BETWEEN)
    assert left_out == 0


def test_neighbours_are_told_though_the_clips_are_gone(open_app, copy):
    shutil.rmtree(copy / "data")
    app = open_app(copy, "neighbours")
    assert errors(app) == []
    assert "none plays" in app.info[0].value
    assert len(app.dataframe[0].value) > 0
    assert "is not known" in words(app)
