import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens import report
from stgcn_lens.errors import RunError
from stgcn_lens.report import results, samples, sentences
from stgcn_lens.runs import Run
from tests.report.conftest import CLASSES, EVIL, KNN, write_run


@pytest.fixture(scope="module")
def gathered(built: Run) -> dict:
    return json.loads((built / "results.json").read_text())


def test_the_curve_compares_the_last_block_with_the_input_and_leaves_the_logits_out(gathered: dict) -> None:
    knn = gathered["curve"]["knn"]
    assert gathered["curve"]["last_layer"] == "block_3"
    assert knn["ratio"] == pytest.approx(KNN["block_3"] / KNN["input"])
    assert knn["largest_step"] == {"layer": "block_3", "drop": pytest.approx(0.25)}
    assert knn["apart"]
    assert knn["rises"] == 0


def test_the_headline_names_accuracy_depth_and_controls_with_the_numbers_of_the_run(gathered: dict) -> None:
    accuracy, depth = gathered["headline"]
    assert "75.0 % [46.8 %, 91.1 %] of 12 test clips" in accuracy  # Wilson's interval, by hand
    assert "falls from 0.60 [0.57, 0.64] at the input to 0.15 [0.12, 0.19] at block_3 (ratio 0.25" in depth
    assert "(average precision 0.50) the saliency of block_3 beats both a random map (0.11)" in depth
    assert "joint speed (0.36)" in depth


@pytest.mark.parametrize(
    ("random", "motion", "words"),
    [
        (0.01, 0.01, "beats both a random map"),
        (0.01, -0.01, "beats a random map (0.20), but not plain joint speed (0.20)"),
        (-0.01, 0.01, "does not beat a random map"),
    ],
)
def test_saliency_is_said_to_beat_a_control_only_with_its_whole_interval(
    random: float, motion: float, words: str, gathered: dict
) -> None:
    def interval(low: float) -> dict[str, float]:
        return {"value": 0.2, "ci_low": low, "ci_high": 0.3}

    scores = {"average_precision": interval(0.1), "random": interval(0.1), "motion": interval(0.1)}
    differences = {"difference_to_random": interval(random), "difference_to_motion": interval(motion)}
    changed = {**gathered, "localisation": [{"layer": "block_3", "n": 3, **scores, **differences}]}
    assert words in sentences.headline(changed)[1]


def test_a_curve_that_does_not_fall_is_not_said_to_fall(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    layers = run.read_json("layers.json")
    layers[3]["knn_label_error"] = {"value": 0.61, "ci_low": 0.5, "ci_high": 0.7, "chance": 0.76}
    run.write_json("layers.json", layers)
    report.build(run, report.ReportConfig(clips=0), force=True)
    depth = run.read_json("results.json")["headline"][1]
    assert "does not fall: it goes from 0.60 [0.57, 0.64] at the input to 0.61" in depth
    assert "the intervals overlap" in depth


def test_class_table_and_mistakes_follow_the_confusion_matrix(gathered: dict) -> None:
    rows = {row["class_name"]: row for row in gathered["confusion"]["per_class"]}
    assert rows["wave"]["recall"] == 1
    assert rows["wave"]["precision"] == 0.5
    assert rows["sit & rest"]["recall"] == 0
    assert rows["sit & rest"]["precision"] is None
    assert rows["sit & rest"]["mistaken_for"] == "wave"
    assert gathered["confusion"]["mistakes"] == [{"true": "sit & rest", "predicted": "wave", "n": 3, "share": 1.0}]


def test_top_joints_are_those_of_the_saliency_table(gathered: dict) -> None:
    top = {row["class_name"]: row for row in gathered["saliency"]["tables"]["block_3"]["top"]}
    assert top["wave"]["joints"][0] == {"joint": "neck", "value": 0.875}
    assert top["kick"]["joints"][0]["joint"] == "left_wrist"
    assert top["wave"]["n"] == 6  # the clips that were taken for it, not those that are it
    assert top["sit & rest"]["joints"] == []


def test_neighbours_are_listed_by_weight_with_label_and_distance(gathered: dict) -> None:
    first = gathered["samples"][0]
    assert first["name"] == "S001C001P008R001A001"  # position 4 of the analysis
    layers = {item["layer"]: item for item in first["neighbours"]}
    assert list(layers) == ["input", "block_2", "block_3"]
    names = [item["name"] for item in layers["input"]["list"]]
    assert names == ["S001C001P010R001A002", "S001C001P014R001A004", "S001C001P012R001A003"]
    assert [item["weight"] for item in layers["input"]["list"]] == [0.75, 0.25, 0.0]
    assert [item["share"] for item in layers["input"]["list"]] == [0.75, 0.25, None]
    assert [item["distance"] for item in layers["input"]["list"]] == [0.25, 1.0, 0.5]
    assert [item["same"] for item in layers["block_3"]["list"]] == [True, False, False]


def test_samples_are_median_recognised_clips_and_the_surest_mistake(gathered: dict) -> None:
    assert [sample["true"] for sample in gathered["samples"]] == ["wave", "kick", EVIL, "sit & rest"]
    assert [sample["correct"] for sample in gathered["samples"]] == [True, True, True, False]
    assert gathered["samples"][-1]["confidence"] == 0.72
    assert gathered["samples"][0]["confidence"] == 0.58  # of 0.50, 0.58, 0.66


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_no_more_clips_are_chosen_than_asked_for(count: int, built: Run) -> None:
    rows = results.clip_rows(built)
    chosen = samples.choose(rows, np.arange(0, 24, 2), count)
    assert len(chosen) == min(count, 4)
    assert len({choice.row["name"] for choice in chosen}) == len(chosen)


def test_the_saliency_of_a_moving_clip_is_the_map_of_its_own_rows(built: Run, gathered: dict) -> None:
    rows = results.clip_rows(built)
    choice = samples.choose(rows, np.arange(0, 24, 2), 4)[1]  # a kick
    clip = results.open_data(built)[choice.row["clip"]]
    moving = samples.move(built, clip, choice, gathered, key_frames=5)
    assert moving.saliency is not None
    assert moving.saliency.shape == (5, 25, 1)
    expected = np.zeros(25)
    expected[[6, 7]] = 1  # joints 4 * label + depth and the next, scaled to 1
    np.testing.assert_allclose(moving.saliency[:, :, 0], np.tile(expected, (5, 1)))
    assert moving.seconds[-1] == pytest.approx((clip.frames - 1) / 30)
    assert moving.layers["block_1"]["saliency"] != moving.layers["block_3"]["saliency"]
    # The strip looks from where the player does: right and up on the picture are lengths of the body.
    assert moving.points.shape == (5, 25, 2, 1)
    height = np.ptp(moving.points[:, :, 1], axis=1)
    assert (height > 1).all()


def test_the_training_is_required(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", stages=())
    with pytest.raises(RunError, match="stgcn-lens train"):
        report.build(run, report.ReportConfig())


@pytest.mark.parametrize(
    ("stages", "commands"),
    [
        (("train",), {"embed", "graph", "explain"}),
        (("train", "embed"), {"graph", "explain"}),
        (("train", "embed", "graph"), {"explain"}),
        (("train", "embed", "explain"), {"graph"}),
    ],
)
def test_a_partial_run_still_has_a_page_that_says_what_is_missing(
    tmp_path: Path, stages: tuple[str, ...], commands: set[str]
) -> None:
    run = write_run(tmp_path / "run", stages=stages)
    page = report.build(run, report.ReportConfig(clips=2)).read_text()
    missing = {item["command"] for item in run.read_json("results.json")["missing"]} - {None}
    studies = {"study layers run", "study noise run", "study transfer run --data TARGET", "score run"}
    assert missing == {f"stgcn-lens {stage} run" for stage in commands} | {f"stgcn-lens {each}" for each in studies}
    assert all(f"<code>{command}</code>" in page for command in missing)
    assert page.count('<div><script type="application/json" data-stgcn-player>') == 2  # skeletons play in any case


def test_an_interrupted_and_an_outdated_stage_are_said_to_be_so(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    manifest = run.manifest()
    manifest["stages"]["graph"]["inputs"] = {"embed": "an older key"}
    manifest["stages"]["explain"]["status"] = "running"
    run.write_json("manifest.json", manifest)
    report.build(run, report.ReportConfig(clips=0))
    missing = {item["command"]: item["why"] for item in run.read_json("results.json")["missing"]}
    assert "made before 'embed' was run again" in missing["stgcn-lens graph run --force"]
    assert "'running'" in missing["stgcn-lens explain run"]
    assert run.read_json("results.json")["saliency"] is None


def test_clips_that_are_gone_cost_the_players_only(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    shutil.rmtree(run / "data")
    report.build(run, report.ReportConfig(), force=True)
    gathered = run.read_json("results.json")
    assert any(item["part"].startswith("players") for item in gathered["missing"])
    assert len(gathered["samples"]) == 4
    assert gathered["curve"]["knn"]["ratio"] == pytest.approx(0.25)


def test_signed_saliency_plays_without_a_table_and_says_so(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    for block in ("block_1", "block_2", "block_3"):
        maps = run.read_array(f"saliency/{block}/maps.npy")
        run.write_array(f"saliency/{block}/maps.npy", maps - 1)  # evidence against the class everywhere else
        (run / f"saliency/{block}/class_by_joint.npy").unlink()
    (run / "saliency/localisation.json").unlink()
    run.write_json("saliency/saliency.json", {**run.read_json("saliency/saliency.json"), "signed": True})
    page = report.build(run, report.ReportConfig(clips=1), force=True).read_text()
    gathered = run.read_json("results.json")
    assert gathered["saliency"]["tables"] == {}
    assert "signed maps have neither" in page
    assert page.count('<div><script type="application/json" data-stgcn-player>') == 1


def test_a_graph_without_edges_costs_its_own_number_only(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    layers = run.read_json("layers.json")
    layers[2]["laplacian_label_error"] = {"value": None, "ci_low": None, "ci_high": None, "chance": None}
    layers[3]["laplacian_label_error"] = {"value": None, "ci_low": None, "ci_high": None, "chance": None}
    run.write_json("layers.json", layers)
    report.build(run, report.ReportConfig(clips=0), force=True)
    curve = run.read_json("results.json")["curve"]
    assert curve["laplacian"]["ratio"] is None
    assert not curve["laplacian"]["apart"]
    assert curve["nnk"]["ratio"] == pytest.approx(0.25)
    assert "Laplacian \N{EN DASH}" in run.read_json("results.json")["figures"]["label_error"]["sentence"]


def test_a_broken_file_of_a_finished_stage_is_named(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    (run / "graphs/input.npz").write_bytes(b"not a graph")
    with pytest.raises(RunError, match=r"input\.npz.*stgcn-lens graph .* --force"):
        report.build(run, report.ReportConfig(), force=True)


def test_faults_of_reading_and_of_stages_are_listed_together(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    manifest = run.manifest()
    manifest["stages"]["train"]["dropped"] = [{"clip": "clip 7", "reason": "no body in any frame"}]
    run.write_json("manifest.json", manifest)
    page = report.build(run, report.ReportConfig(clips=0), force=True).read_text()
    dropped = run.read_json("results.json")["dropped"]
    assert [(item["stage"], item["file"]) for item in dropped] == [("read", "S001<b>.skeleton"), ("train", "clip 7")]
    assert "no body in any frame" in page
    assert "cut in frame 17" in page


def test_an_unchanged_run_is_not_built_again_unless_forced(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    page = run / "report.html"
    page.write_text("as it was")
    assert report.build(run, report.ReportConfig()).read_text() == "as it was"
    config = report.ReportConfig(clips=0)
    assert report.build(run, config).read_text() != "as it was"
    page.write_text("as it was")
    assert report.build(run, config).read_text() == "as it was"
    assert report.build(run, config, force=True).read_text() != "as it was"


def test_a_seed_is_found_where_the_configuration_keeps_it(tmp_path: Path, built: Run) -> None:
    run = _copy(built, tmp_path)
    manifest = run.manifest()
    manifest["stages"]["train"]["seed"] = None  # as for a configuration that holds {"training": {"seed": 3}}
    manifest["stages"]["embed"] |= {"seed": None, "config": {}}
    run.write_json("manifest.json", manifest)
    seeds = {stage["stage"]: stage["seed"] for stage in results.collect(run)["stages"]}
    assert seeds["train"] == 3
    assert seeds["embed"] is None


def test_every_class_keeps_its_name(gathered: dict) -> None:
    assert gathered["model"]["classes"] == list(CLASSES)


def _copy(run: Run, folder: Path) -> Run:
    shutil.copytree(run.path, folder / "run")
    return Run.open(folder / "run")
