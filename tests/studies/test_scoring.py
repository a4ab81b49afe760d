"""The whole evaluation on a small run: every metric, the controls, the verdicts, and what is not done twice."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from stgcn_lens.embeddings import open_model
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain import EXPLAINERS, Explainer
from stgcn_lens.explain.evaluate import average_precision
from stgcn_lens.explain.explanation import Explanation
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.intervals import Value
from stgcn_lens.studies.scoring import METRICS, ScoreConfig, sample, score
from stgcn_lens.studies.scoring import bench as benches
from stgcn_lens.studies.scoring.metrics import Measure
from stgcn_lens.studies.scoring.results import LEAST, Part, better, tabulated, verdicts
from stgcn_lens.studies.scoring.show import as_csv, sentences, table
from tests import tiny

QUICK = ScoreConfig(
    methods=("gradcam",),
    layers=("block_2", "block_6"),
    clips=0,
    remade=3,
    steps=3,
    draws=1,
    removals=4,
    disturbed=2,
    networks=2,
    random_maps=2,
    resamples=50,
)


def loud(seed: int = 0):
    """A network whose answers change when something is removed: that of `tiny` alone hardly hears its input."""
    net = tiny.model(width=2, seed=seed)
    with torch.no_grad():
        net.head.weight *= 300
        net.head.bias *= 300
    return net


@pytest.fixture
def run(tmp_path):
    return tiny.run(tmp_path, tiny.clips(14, evidence=True), loud())


@pytest.fixture
def plain_run(tmp_path):
    return tiny.run(tmp_path, tiny.clips(6), loud())


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run and what scoring it said; to be read, not changed."""
    torch.set_num_threads(1)
    run = tiny.run(tmp_path_factory.mktemp("scored"), tiny.clips(14, evidence=True), loud())
    return run, score(run, QUICK)


def opened(run, config: ScoreConfig = QUICK) -> benches.Bench:
    loaded, clips = open_model(run, "cpu")
    return benches.open_bench(loaded, clips, sample(run, config), config, "cpu")


def by_place(found: dict) -> dict:
    return {(row["method"], row["layer"], row["measure"]): row for row in found["rows"]}


def test_every_metric_has_its_numbers_beside_both_controls(scored) -> None:
    _, found = scored
    rows = by_place(found)
    for metric in METRICS.values():
        for measure in metric.measures:
            if measure.name == "alone":  # not asked for
                continue
            for layer in QUICK.layers:
                row = rows["gradcam", layer, measure.name]
                if measure.points is not None:
                    assert len(row["values"]) == len(found["points"][measure.points])
                    continue
                assert row["n"] + row["left_out"] == (3 if metric.remade else 12)
                if layer == "block_6":  # those of the other are mostly silent
                    assert row["n"] > 0
                if row["value"] is None:
                    continue
                assert row["ci_low"] <= row["value"] <= row["ci_high"]
                for control in ("random", "motion"):
                    assert row[f"better_than_{control}"] in (None, "not shown", "yes", "no")
                    assert np.isfinite(row[control])
    assert {v["layer"] for v in found["verdicts"]} == set(QUICK.layers)
    assert {v["measure"] for v in found["verdicts"]} == {"average_precision"}


def test_differences_are_paired_clip_by_clip(scored) -> None:
    run, found = scored
    row = by_place(found)["gradcam", "block_6", "deletion"]
    parts = [
        json.loads((run / f"scores/parts/{name}/removal/{layer}.json").read_text())["values"]["deletion"]
        for name, layer in (("gradcam", "block_6"), ("motion", "input"))
    ]
    assert row["value"] == pytest.approx(np.mean(parts[0]))
    assert row["difference_to_motion"]["value"] == pytest.approx(np.mean(np.subtract(*parts)))
    assert row["motion"] == pytest.approx(np.mean(parts[1]))


def test_controls_are_what_they_are(scored) -> None:
    rows = by_place(scored[1])
    assert rows["motion", "input", "randomised"]["value"] == pytest.approx(1)
    assert rows["motion", "input", "r"]["value"] == pytest.approx(1)
    assert rows["motion", "input", "rms"]["value"] == 0
    assert abs(rows["random", "input", "randomised"]["value"]) < 0.15
    assert abs(rows["random", "input", "r"]["value"]) < 0.15
    assert rows["random", "input", "gini"]["value"] == pytest.approx(1 / 3, abs=0.03)
    assert ("random", "block_2", "rrs") in rows  # each layer's representation changes in its own way
    assert ("random", "block_2", "ris") in rows
    assert ("random", "block_2", "gini") not in rows


def test_localisation_is_that_of_the_maps_on_the_clips_own_frames(scored) -> None:
    run, _ = scored
    saved = json.loads((run / "scores/parts/gradcam/localisation/block_6.json").read_text())
    bench = opened(run)
    (maps,) = bench.explain(benches.method(EXPLAINERS["gradcam"], ["block_6"]), bench.whole())
    for i, clip in enumerate(bench.clips):
        shown = benches.on_clip(maps[i], bench.cells[i], bench.sources[i], clip)
        wanted = average_precision(shown, clip.evidence, clip.valid)
        assert saved["values"]["average_precision"][i] == pytest.approx(wanted)


def test_maps_are_judged_on_real_frames_of_present_bodies(scored) -> None:
    bench = opened(scored[0])
    maps = bench.explain(benches.method(EXPLAINERS["gradcam"], ["block_2", "block_6"]), bench.whole())
    assert maps.any()
    for i, cells in enumerate(bench.cells):
        assert not maps[:, i][:, ~cells.present].any()


def test_a_map_that_knows_the_evidence_is_better_than_motion_and_an_inverted_one_is_not(run, monkeypatch) -> None:
    """Not wired to any one method: whatever is in the registry is scored."""
    bench = opened(run)
    planted = {cells.x.tobytes(): clip.evidence for cells, clip in zip(bench.cells, bench.clips, strict=True)}

    def row(name: str, sign: float) -> Explainer:
        def function(model, x, target=None, *, cells=None, **_) -> Explanation:
            found = grad_cam(model, x, target, ["block_1"])
            maps = np.zeros((len(x), *x.shape[2:]), np.float32)
            for i, clip in enumerate(x.numpy()):
                known = planted[clip.tobytes()]
                frames = min(len(known), len(clip[0]))
                start = (len(known) - frames) // 2  # a crop keeps the middle
                maps[i, :frames, :, : known.shape[2]] = known[start : start + frames]
            return replace(found, maps={"input": 1 + sign * maps}, no_evidence={}, reasons={})

        return Explainer(name, "knows", function, per_layer=False, source="this test")

    monkeypatch.setitem(EXPLAINERS, "oracle", row("oracle", 1.0))
    monkeypatch.setitem(EXPLAINERS, "inverted", row("inverted", -1.0))
    config = replace(QUICK, methods=("oracle", "inverted"), metrics=("localisation", "sparsity"))
    found = score(run, config)
    said = {v["method"]: v["better_than_motion"] for v in found["verdicts"]}
    assert said == {"oracle": "yes", "inverted": "no"}
    rows = by_place(found)
    assert rows["oracle", "input", "average_precision"]["value"] > 0.9
    assert "oracle at input: better than motion magnitude: yes (average precision" in sentences(found["verdicts"])[0]


def test_without_evidence_the_deletion_area_decides(plain_run) -> None:
    found = score(plain_run, replace(QUICK, metrics=("removal", "sparsity")))
    assert {v["measure"] for v in found["verdicts"]} == {"deletion"}
    assert {v["better_than_motion"] for v in found["verdicts"]} == {"not shown"}  # 4 clips are too few
    assert "4 clips are too few" in found["verdicts"][0]["why"]
    assert "localisation" not in {row["metric"] for row in found["rows"]}
    with pytest.raises(LensError, match="no clip of the sample carries evidence"):
        score(plain_run, replace(QUICK, metrics=("localisation", "sparsity")))


def test_nothing_is_worked_out_twice(plain_run, monkeypatch) -> None:
    calls = []
    row = EXPLAINERS["gradcam"]
    counted = replace(row, function=lambda *a, **k: calls.append(1) or row.function(*a, **k))
    monkeypatch.setitem(EXPLAINERS, "gradcam", counted)
    config = replace(QUICK, metrics=("sparsity", "tables"))
    score(plain_run, config)
    first = len(calls)
    assert first
    score(plain_run, config)  # the stage is up to date
    assert len(calls) == first
    more = score(plain_run, replace(config, metrics=("sparsity", "tables", "removal"), steps=2))
    assert {row["metric"] for row in more["rows"]} == {"sparsity", "tables", "removal"}
    assert len(calls) == first + 1  # maps for the new metric only
    score(plain_run, replace(config, steps=9))  # these metrics know no steps
    assert len(calls) == first + 1
    score(plain_run, replace(config, seed=1))
    assert len(calls) == first + 2
    score(plain_run, replace(config, seed=1), force=True)
    assert len(calls) == first + 3


def test_a_broken_off_run_goes_on_where_it_stopped_and_ends_the_same(plain_run, tmp_path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise Stop

    config = replace(QUICK, metrics=("removal", "sparsity", "contrast"))
    with pytest.raises(Stop):
        score(plain_run, config, progress=stop)
    assert plain_run.manifest()["stages"]["score"]["status"] == "failed"
    kept = {path: path.stat().st_mtime_ns for path in (plain_run / "scores/parts").rglob("*.json")}
    assert kept
    resumed = score(plain_run, config)
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    again = score(plain_run, config, force=True)
    for found in (resumed, again):
        found.pop("seconds")
    assert resumed == again


def test_a_damaged_part_is_made_again(plain_run) -> None:
    config = replace(QUICK, metrics=("sparsity",))
    first = score(plain_run, config)
    for text in ("{", '{"key": 3}', "[]"):
        (plain_run / "scores/parts/gradcam/sparsity/block_6.json").write_text(text)
        (plain_run / "scores/scores.csv").unlink()
        assert score(plain_run, config)["rows"] == first["rows"]


def test_the_result_does_not_depend_on_the_batch(plain_run) -> None:
    config = replace(QUICK, metrics=("removal", "infidelity", "contrast", "stability"))
    one, many = (by_place(score(plain_run, replace(config, batch=size), force=True)) for size in (3, 50))
    for place, row in one.items():
        if "value" in row and row["value"] is not None:
            assert row["value"] == pytest.approx(many[place]["value"], abs=2e-3), place


def test_the_same_seed_gives_the_same_numbers_and_another_one_others(plain_run) -> None:
    config = replace(QUICK, metrics=("gap", "randomisation"), networks=1)
    one, same = score(plain_run, config)["rows"], score(plain_run, config, force=True)["rows"]
    assert one == same
    assert one != score(plain_run, replace(config, seed=5))["rows"]


def test_another_network_from_python_is_scored_in_its_place(plain_run) -> None:
    config = replace(QUICK, metrics=("removal",))
    own = score(plain_run, config)
    loaded, _ = open_model(plain_run, "cpu")
    other = replace(loaded, model=loud(seed=8), hash="another")
    found = score(plain_run, config, network=other)
    assert found["rows"] != own["rows"]
    assert score(plain_run, config)["rows"] == own["rows"]


def test_the_sample_is_spread_over_the_classes_from_its_start(run) -> None:
    labels = [row["label"] for row in tiny.table(run)]
    chosen = sample(run, replace(QUICK, clips=6))
    assert len(set(chosen.tolist())) == 6
    assert {labels[i] for i in chosen[:3]} == {labels[i] for i in sample(run, QUICK)}
    assert chosen.tolist() == sample(run, QUICK)[:6].tolist()
    assert all(tiny.table(run)[i]["split"] == "test" for i in chosen)
    assert len(sample(run, replace(QUICK, split="all"))) == 14
    with pytest.raises(RunError, match="no clip in split 'val'"):
        sample(run, replace(QUICK, split="val"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ("gradcam", "magic")}, "unknown method: got 'magic', expected of gradcam"),
        ({"metrics": ("beauty",)}, "unknown metric: got 'beauty', expected of localisation, removal"),
        ({"layers": ("block_99",)}, "unknown layer: got 'block_99'"),
        ({"layers": ("input",)}, "no layer to score: got input"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_written(run, change: dict, message: str) -> None:
    with pytest.raises(LensError, match=message):
        score(run, replace(QUICK, **change))
    assert not (run / "scores").exists()


@pytest.mark.parametrize("change", [{"steps": 1}, {"clips": -1}, {"share": 1.0}, {"noise": 0.0}, {"networks": 0}])
def test_impossible_settings_are_refused(change: dict) -> None:
    with pytest.raises(LensError, match=r"too small|impossible scoring"):
        replace(QUICK, **change)


def test_the_rule_of_the_verdict() -> None:
    up, down, none = (Measure("m", way, "") for way in ("higher", "lower", None))
    above, below, across = Value(0.2, 0.1, 0.3), Value(-0.2, -0.3, -0.1), Value(0.0, -0.1, 0.1)
    assert [better(gap, LEAST, up) for gap in (above, below, across)] == ["yes", "no", "not shown"]
    assert [better(gap, LEAST, down) for gap in (above, below, across)] == ["no", "yes", "not shown"]
    assert better(above, LEAST - 1, up) == "not shown"
    assert better(Value(0.1, 0.0, 0.2), LEAST, up) == "not shown"
    assert better(above, LEAST, none) is None


def parts(values: dict[str, list[float]], metric: str = "removal", measure: str = "deletion") -> list[Part]:
    rest = [m.name for m in METRICS[metric].measures if m.points is None and m.name != measure]
    return [
        Part(
            name,
            metric,
            "block_1" if name == "mine" else "input",
            {measure: np.array(v), **{other: np.zeros(len(v)) for other in rest}},
            {},
            0.0,
        )
        for name, v in values.items()
    ]


def test_clips_without_a_number_are_left_out_of_both_sides() -> None:
    rng = np.random.default_rng(0)
    control = rng.random(30)
    mine = control - 0.1
    mine[:10] = np.nan
    control[10:12] = np.nan
    rows = tabulated(parts({"motion": control, "mine": mine}), np.zeros(30, int), seed=0, resamples=100)
    (row,) = (r for r in rows if r["method"] == "mine" and r["measure"] == "deletion")
    assert (row["n"], row["left_out"]) == (20, 10)
    gap = row["difference_to_motion"]
    assert (gap["n"], gap["value"]) == (18, pytest.approx(-0.1))
    assert row["motion"] == pytest.approx(control[12:].mean())
    (said,) = verdicts(rows)
    assert said["better_than_motion"] == "yes"


def test_a_measure_that_no_clip_has_is_said_and_not_judged() -> None:
    nothing = [float("nan")] * 12
    rows = tabulated(parts({"motion": [0.1] * 12, "mine": nothing}), np.zeros(12, int), seed=0, resamples=10)
    (row,) = (r for r in rows if r["method"] == "mine" and r["measure"] == "deletion")
    assert (row["value"], row["n"], row["left_out"], row["better_than_motion"]) == (None, 0, 12, None)
    (said,) = verdicts(rows)
    assert (said["better_than_motion"], said["measure"]) == ("not shown", None)


def test_the_table_shows_methods_beside_controls_and_the_csv_every_number(scored) -> None:
    run, found = scored
    lines = table(found["rows"], found["verdicts"]).splitlines()
    assert lines[0].split()[:6] == ["method", "layer", "AP", "point", "del", "ins"]
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["random", "input"],
        ["motion", "input"],
        ["gradcam", "block_2"],
        ["gradcam", "block_6"],
    ]
    precision = by_place(found)["gradcam", "block_2", "average_precision"]["value"]
    assert lines[3].split()[2].rstrip("+-~") == f"{precision:.3f}"
    assert all(lines[i].endswith(("yes", "no", "not shown")) for i in (3, 4))
    saved = list(csv.DictReader((run / "scores/scores.csv").read_text().splitlines()))
    assert (run / "scores/scores.csv").read_text() == as_csv(found["rows"])
    assert len(saved) == sum("value" in row for row in found["rows"])
    one = by_place(found)["gradcam", "block_6", "deletion"]
    (line,) = (s for s in saved if (s["method"], s["layer"], s["measure"]) == ("gradcam", "block_6", "deletion"))
    assert float(line["motion_difference"]) == pytest.approx(one["difference_to_motion"]["value"])
    assert json.loads((run / "scores/scores.json").read_text()) == found


def test_every_method_of_the_registry_can_be_scored(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(4, frames=(9,)), tiny.model(width=1))
    config = replace(QUICK, methods=(), layers=("block_6",), metrics=("sparsity", "removal"), steps=2, random_maps=1)
    found = score(run, config)
    assert found["methods"] == list(EXPLAINERS)
    assert {v["method"] for v in found["verdicts"]} == set(EXPLAINERS)


def test_scores_are_stale_when_the_network_is_another_one(plain_run) -> None:
    config = replace(QUICK, metrics=("sparsity",))
    score(plain_run, config)
    with plain_run.stage("train", config={"another": 1}, inputs={}) as record:
        record.update({"weights": "x"})
    assert plain_run.manifest()["stages"]["score"]["status"] == "stale"
