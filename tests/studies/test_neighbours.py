import json
import shutil
from itertools import pairwise

import numpy as np
import pytest

from stgcn_lens.data.transforms import clean
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.analysed import Analysed
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.neighbours import NeighboursConfig, look, neighbours
from tests import tiny
from tests.reference.dtw import window_dtw
from tests.reference.vote import vote

CONFIG = GeometryConfig(graph=GraphConfig(k=4), resamples=10, permutations=5)
LAYERS = ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]


@pytest.fixture(scope="module")
def clips():
    return tiny.clips(16)


@pytest.fixture(scope="module")
def made(clips, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Fourteen clips under analysis, numbers 2 to 15."""
    run = tiny.run(tmp_path_factory.mktemp("neighbours"), clips, tiny.model())
    embed(run, EmbedConfig(window=4))
    graph(run, CONFIG)
    return run


@pytest.fixture(scope="module")
def everywhere(clips, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with the two training clips under analysis too."""
    run = tiny.run(tmp_path_factory.mktemp("everywhere"), clips, tiny.model())
    embed(run, EmbedConfig(split="all"))
    graph(run, CONFIG)
    return run


@pytest.fixture
def spoilt(made, tmp_path) -> Run:
    """A copy that may be changed."""
    shutil.copytree(made.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def windows(run: Run, layer: str) -> list[np.ndarray]:
    values = np.load(run / f"embeddings/{layer}/windows.npy")
    return [values[a:b] for a, b in pairwise(np.load(run / f"embeddings/{layer}/offsets.npy"))]


@pytest.mark.parametrize("layer", ["input", "block_4", "logits"])
def test_neighbours_are_those_of_the_graph_heaviest_first(made, layer) -> None:
    stored, rows = np.load(made / f"graphs/{layer}.npz"), tiny.table(made)
    for number in (2, 9, 15):
        i = number - 2
        about = neighbours(made, NeighboursConfig(f"clip {number}", layer))
        weights = {2 + int(j): float(w) for j, w in zip(stored["indices"][i], stored["nnk_weights"][i], strict=True)}
        told = {row["number"]: row for row in about["neighbours"]}
        if any(weights.values()):
            assert set(told) == {j for j, weight in weights.items() if weight > 0}
        assert [row["weight"] for row in about["neighbours"]] == sorted((weights[j] for j in told), reverse=True)
        assert sum(row["share"] for row in about["neighbours"]) == pytest.approx(1)
        for j, row in told.items():
            assert row["name"] == f"clip {j}"
            assert row["class_name"] == rows[j]["class_name"]
            assert row["predicted"] == tiny.CLASSES[int(rows[j]["predicted"])]
            assert row["distance"] == pytest.approx(
                window_dtw(windows(made, layer)[i], windows(made, layer)[j - 2]), rel=1e-5
            )
        assert about["candidates"]["clips"] == 13
        assert about["candidates"]["embedded"] == {"test": 14}


@pytest.mark.parametrize("layer", ["input", "block_6"])
def test_the_vote_is_the_one_counted_by_hand(made, layer) -> None:
    stored, rows = np.load(made / f"graphs/{layer}.npz"), tiny.table(made)
    for number in range(2, 16):
        i = number - 2
        about = neighbours(made, NeighboursConfig(str(number), layer))
        near = [rows[2 + int(j)] for j in stored["indices"][i]]
        for key, column in (("vote", "label"), ("vote_of_predictions", "predicted")):
            shares, winner = vote(stored["nnk_weights"][i].tolist(), [int(row[column]) for row in near])
            told = {tiny.CLASSES.index(share["class_name"]): share["share"] for share in about[key]["shares"]}
            assert told == pytest.approx({c: share for c, share in shares.items() if share}, abs=1e-9)
            assert about[key]["winner"] == tiny.CLASSES[winner]
            assert about[key]["agrees"] == (winner == int(rows[number]["predicted"]))
            assert about[key]["true_share"] == pytest.approx(shares.get(int(rows[number]["label"]), 0))
            assert about[key]["predicted_share"] == pytest.approx(shares.get(int(rows[number]["predicted"]), 0))


def test_every_layer_says_whether_the_prediction_is_there(made) -> None:
    about = neighbours(made, NeighboursConfig("clip 5", "block_2"))
    assert [row["layer"] for row in about["layers"]] == LAYERS
    for row in about["layers"]:
        alone = neighbours(made, NeighboursConfig("clip 5", row["layer"]))["vote"]
        assert {key: row[key] for key in ("winner", "agrees")} == {key: alone[key] for key in ("winner", "agrees")}


def test_the_path_is_a_best_one_and_its_costs_are_the_distance(made) -> None:
    turns = 0
    for layer in ("input", "block_3", "logits"):
        held = windows(made, layer)
        for number in (3, 4, 6, 10):
            x = held[number - 2].astype(np.float64)
            for row in neighbours(made, NeighboursConfig(str(number), layer))["neighbours"]:
                y = held[row["number"] - 2].astype(np.float64)
                path = [tuple(step) for step in row["path"]]
                assert (path[0], path[-1]) == ((0, 0), (len(x) - 1, len(y) - 1))
                steps = {(c - a, d - b) for (a, b), (c, d) in pairwise(path)}
                assert steps <= {(0, 1), (1, 0), (1, 1)}
                costs = [((x[a] - y[b]) ** 2).sum() / (len(x) + len(y)) for a, b in path]
                assert row["costs"] == pytest.approx(costs)
                assert np.sqrt(sum(costs)) == pytest.approx(window_dtw(x, y))
                turns += len(steps) > 1
    assert turns


def test_windows_lie_on_the_frames_they_were_made_from(clips, made) -> None:
    # Of 31 frames the middle 24 are seen, from frame 3 on; windows are of four frames.
    number = next(i for i in range(2, 16) if clips.rows[i].frames == 31)
    shown = clean(clips[number], tiny.PREP)
    assert shown.frames == 31
    fours = [(3 + 4 * i, 6 + 4 * i) for i in range(6)]
    for layer, frames in {"block_1": fours, "block_6": fours, "logits": [(3, 26)]}.items():
        told = neighbours(made, NeighboursConfig(str(number), layer))["clip"]["windows"]
        assert [(w["first_frame"], w["last_frame"]) for w in told] == frames
        for w, (first, last) in zip(told, frames, strict=True):
            assert (w["from_s"], w["to_s"]) == pytest.approx((first / shown.fps, (last + 1) / shown.fps), abs=1e-3)
    # The last window of a short clip holds what is left.
    number = next(i for i in range(2, 16) if clips.rows[i].frames == 9)
    assert clean(clips[number], tiny.PREP).frames == 9
    told = neighbours(made, NeighboursConfig(str(number), "block_1"))["clip"]["windows"]
    assert [(w["first_frame"], w["last_frame"]) for w in told] == [(0, 3), (4, 7), (8, 8)]


def test_without_a_neighbour_the_vote_is_what_the_others_make_of_it(made) -> None:
    effects = []
    for number in range(2, 16):
        about = neighbours(made, NeighboursConfig(str(number), "block_1"))
        for row in about["neighbours"]:
            without = row["without"]
            assert without["effect"] == pytest.approx(about["vote"]["predicted_share"] - without["predicted_share"])
            assert without["turns_the_vote"] == (without["winner"] != about["vote"]["winner"])
            effects.append(without["effect"])
    assert min(effects) < -0.05
    assert max(effects) > 0.05


def test_fewer_can_be_told_but_all_vote(made) -> None:
    everyone = neighbours(made, NeighboursConfig("clip 9", "input"))
    few = neighbours(made, NeighboursConfig("clip 9", "input", k=1))
    assert few["vote"] == everyone["vote"]
    assert few["neighbours"] == everyone["neighbours"][:1]
    assert few["not_listed"] == len(everyone["neighbours"]) - 1 > 0


def test_the_file_is_what_is_returned(made) -> None:
    about = neighbours(made, NeighboursConfig("clip 7"))
    assert about["file"] == "neighbours/clip+7--block_6.json"
    assert json.loads((made / about["file"]).read_text()) == about
    assert about["made_from"] == {"graph": made.key("graph")}


def test_among_training_clips_only_these_are_neighbours(everywhere) -> None:
    about = neighbours(everywhere, NeighboursConfig("clip 9", "block_5", among="train"))
    assert {row["number"] for row in about["neighbours"]} <= {0, 1}
    assert {row["split"] for row in about["neighbours"]} == {"train"}
    assert (about["candidates"]["clips"], about["candidates"]["k"]) == (2, 2)
    assert about["candidates"]["embedded"] == {"train": 2, "test": 14}
    assert about["file"] == "neighbours/clip+9--block_5--train.json"
    held = windows(everywhere, "block_5")
    for row in about["neighbours"]:
        assert row["distance"] == pytest.approx(window_dtw(held[9], held[row["number"]]), rel=1e-5)
    # A training clip is not its own neighbour.
    own = neighbours(everywhere, NeighboursConfig("clip 0", "block_5", among="train"))
    assert [row["number"] for row in own["neighbours"]] == [1]
    assert own["neighbours"][0]["without"] is None


def test_among_all_of_one_split_are_the_neighbours_of_the_graph(made) -> None:
    for layer in ("input", "block_6"):
        stored, anew = (neighbours(made, NeighboursConfig("clip 8", layer, among=a)) for a in ("graph", "test"))
        assert [row["number"] for row in stored["neighbours"]] == [row["number"] for row in anew["neighbours"]]
        np.testing.assert_allclose(
            *([row["weight"] for row in about["neighbours"]] for about in (stored, anew)), atol=1e-6
        )


def test_among_other_subjects_nobody_is_the_same_person(made) -> None:
    rows = tiny.table(made)
    shared = 0.0
    for number in range(2, 16):
        graph_, others = (
            neighbours(made, NeighboursConfig(str(number), "input", among=a)) for a in ("graph", "other-subjects")
        )
        assert rows[number]["subject"] not in {row["subject"] for row in others["neighbours"]}
        assert others["candidates"]["same_subject_share"] == 0
        same = [row["share"] for row in graph_["neighbours"] if row["subject"] == rows[number]["subject"]]
        assert graph_["candidates"]["same_subject_share"] == pytest.approx(sum(same))
        shared += sum(same)
    assert shared > 0


def test_numbers_that_are_stored_in_half_the_size_are_read(clips, tmp_path) -> None:
    run = tiny.run(tmp_path, clips, tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, CONFIG)
    file = run / "embeddings/block_3/windows.npy"
    before = neighbours(run, NeighboursConfig("clip 4", "block_3"))
    np.save(file, np.load(file).astype(np.float16))
    after = neighbours(run, NeighboursConfig("clip 4", "block_3"))
    for one, other in zip(before["neighbours"], after["neighbours"], strict=True):
        assert one["path"] == other["path"]
        np.testing.assert_allclose(one["costs"], other["costs"], rtol=0.05, atol=1e-4)


def test_a_distance_that_does_not_warp_has_no_path(clips, tmp_path) -> None:
    run = tiny.run(tmp_path, clips, tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, GeometryConfig(graph=GraphConfig(k=3, distance="pooled"), resamples=10, permutations=5))
    about = neighbours(run, NeighboursConfig("clip 4", "block_3"))
    assert about["distance"] == {"name": "Pooled"}
    assert {row["path"] for row in about["neighbours"]} == {None}


def test_the_network_itself_is_not_needed(spoilt) -> None:
    (spoilt / "model.safetensors").unlink()
    assert neighbours(spoilt, NeighboursConfig("clip 4"))["layer"] == "block_6"


def test_a_clip_that_nobody_reaches_has_its_candidates_count_alike(spoilt) -> None:
    stored = dict(np.load(spoilt / "graphs/block_2.npz"))
    stored["nnk_weights"][3] = 0
    np.savez(spoilt / "graphs/block_2.npz", **stored)
    about = neighbours(spoilt, NeighboursConfig("clip 5", "block_2"))
    assert about["candidates"]["with_weight"] == 0
    assert [row["share"] for row in about["neighbours"]] == [0.25] * 4
    assert [row["number"] - 2 for row in about["neighbours"]] == stored["indices"][3].tolist()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NeighboursConfig("nobody"), r"run: no such clip: got 'nobody', expected one of 'clip .* and 2 more"),
        (NeighboursConfig("99"), "no such clip: got '99'"),
        (
            NeighboursConfig("clip 1"),
            r"clip 'clip 1' is not embedded: it is in split 'train': .* embed .*run --split all",
        ),
        (NeighboursConfig("0"), r"clip '0' is not embedded: it is in split 'train'"),
        (NeighboursConfig("clip 3", "block_9"), "no such layer: got 'block_9', expected one of 'input', 'block_1', "),
        (
            NeighboursConfig("clip 3", among="train"),
            r"no clip of split 'train' is embedded: got 14 of split 'test'; run: ",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is(made, config, message) -> None:
    with pytest.raises(LensError, match=message):
        neighbours(made, config)


def test_no_neighbours_to_tell_are_refused() -> None:
    with pytest.raises(LensError, match="no neighbours to tell: got k = 0"):
        NeighboursConfig("clip 3", k=0)


def test_whose_clip_it_is_must_be_known_to_leave_the_person_out(spoilt) -> None:
    text = (spoilt / "clips.csv").read_text().splitlines()
    place = text[0].split(",").index("subject")
    cells = [line.split(",") for line in text]
    for row in cells[1:]:
        row[place] = ""
    (spoilt / "clips.csv").write_text("\n".join(",".join(row) for row in cells) + "\n")
    with pytest.raises(LensError, match="whose clip this is, is not known: got no subject of clip 'clip 3'"):
        neighbours(spoilt, NeighboursConfig("clip 3", among="other-subjects"))
    assert neighbours(spoilt, NeighboursConfig("clip 3"))["candidates"]["same_subject_share"] is None


def test_a_run_without_graphs_says_what_to_run(clips, tmp_path) -> None:
    run = tiny.run(tmp_path, clips, tiny.model(width=1))
    with pytest.raises(RunError, match=r"stage 'graph' has not been run; run: stgcn-lens graph .*run"):
        neighbours(run, NeighboursConfig("clip 3"))


def test_graphs_of_what_was_replaced_are_not_used(clips, tmp_path) -> None:
    run = tiny.run(tmp_path, clips, tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, CONFIG)
    embed(run, EmbedConfig(split="all"))
    with pytest.raises(RunError, match="'graph' was made from what has since been replaced"):
        neighbours(run, NeighboursConfig("clip 3"))


@pytest.mark.parametrize("fault", ["cut", "missing", "another array", "other clips", "position outside"])
def test_a_damaged_graph_is_told_with_what_to_do(spoilt, fault) -> None:
    file = spoilt / "graphs/block_6.npz"
    stored = dict(np.load(file))
    if fault == "cut":
        file.write_bytes(file.read_bytes()[:400])
    if fault == "missing":
        file.unlink()
    if fault == "another array":
        np.savez(file, indices=stored["indices"], distances=stored["distances"])
    if fault == "other clips":
        np.savez(file, **{name: array[:-1] for name, array in stored.items()})
    if fault == "position outside":
        np.savez(file, **{**stored, "indices": stored["indices"] + 13})
    with pytest.raises(RunError, match=r"block_6.npz: .*; run: stgcn-lens graph .* --force"):
        neighbours(spoilt, NeighboursConfig("clip 3"))


def test_a_clip_whose_name_is_a_path_writes_into_the_run_only(clips, tmp_path) -> None:
    from dataclasses import replace

    rows = tuple(replace(row, name=f"../../{row.name}/..") for row in clips.rows)
    run = tiny.run(tmp_path / "below" / "here", replace(clips, rows=rows), tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, CONFIG)
    about = neighbours(run, NeighboursConfig("../../clip 3/.."))
    assert (run / about["file"]).resolve().parent == (run / "neighbours").resolve()
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["here"]


def test_looking_tells_the_same_and_writes_nothing(spoilt) -> None:
    shutil.rmtree(spoilt / "neighbours", ignore_errors=True)
    config = NeighboursConfig("clip 7", "block_3")
    seen = look(Analysed.of(spoilt), config)
    assert not (spoilt / "neighbours").exists()
    about = neighbours(spoilt, config)
    assert (spoilt / about.pop("file")).is_file()
    assert seen == about
