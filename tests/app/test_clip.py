"""The Clip page's maps: of which method, for which class, beside which other, and whether they are to be trusted."""

import ast
import base64
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from app import compute, scenes, sources, state, stored, trust
from stgcn_lens.data.transforms import prepare
from stgcn_lens.errors import LensError
from stgcn_lens.explain import EXPLAINERS
from stgcn_lens.explain.cells import cells_of
from stgcn_lens.explain.upsample import to_clip, to_frames
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.explanations import MethodConfig, explain_with
from tests.app.test_pages import errors, words

APP = Path(compute.__file__).parent


@pytest.fixture
def source(whole) -> sources.Source:
    return sources.open_source(str(whole), sources.stamp(whole))


def asked(source: sources.Source, position: int, method: str, **how) -> tuple[compute.Explained, dict]:
    """What the page shows, and the same straight from the method: layer -> (F, V, M)."""
    row, loaded = source.rows[position], load(source.path)
    sample = prepare(source.clip(row), loaded.preprocessing, loaded.bodies)
    cells = cells_of(sample, loaded.layout, loaded.preprocessing.stream, replayed=False)
    sides = {name: None if value is None else torch.tensor([value]) for name, value in how.items()}
    x = torch.from_numpy(sample.x)[None]
    found = EXPLAINERS[method].function(
        loaded.model, x, sides.get("target"), against=sides.get("against"), cells=[cells]
    )
    seen = compute.explain(source, row, how.get("target"), method, how.get("against"))
    strides = loaded.model.strides
    return seen, {
        layer: to_clip(to_frames(maps[0], strides[layer], sample.frames), sample.source, seen.clip.frames)
        for layer, maps in found.maps.items()
    }


def test_the_methods_offered_are_those_that_there_are():
    assert {*compute.QUICK, *compute.SLOW} == set(EXPLAINERS)
    assert not set(compute.QUICK) & set(compute.SLOW)


@pytest.mark.parametrize("method", compute.QUICK)
def test_a_methods_map_is_what_the_method_says_of_the_clip(source, method):
    seen, straight = asked(source, 3, method, target=2)
    assert seen.target == 2
    assert list(seen.maps) == list(straight)
    for layer, map in straight.items():
        np.testing.assert_allclose(seen.maps[layer], map[..., : seen.clip.bodies], atol=1e-6 * map.max())


def test_a_class_rather_than_another_is_explained_by_their_difference(source):
    seen, straight = asked(source, 3, "gradcam", target=2, against=1)
    alone = compute.explain(source, source.rows[3], 2)
    assert (seen.target, seen.against) == (2, 1)
    np.testing.assert_allclose(seen.maps["block_4"], straight["block_4"][..., : seen.clip.bodies], atol=1e-9)
    assert np.abs(seen.maps["block_4"] - alone.maps["block_4"]).max() > 0


@pytest.mark.parametrize("method", ["layercam", "saliency"])
def test_the_url_chooses_method_and_other_class(open_app, whole, method):
    app = open_app(whole, method=method, against="clap", **{"class": "throw"})
    assert errors(app) == []
    assert app.selectbox("method").value == method
    assert "*throw* rather than *clap*" in words(app)
    assert ("explains the input, not single layers" in words(app)) == (method == "saliency")


def test_a_class_rather_than_itself_is_said_to_be_nothing(open_app, whole):
    app = open_app(whole, against="throw", **{"class": "throw"})
    assert errors(app) == []
    assert "A class rather than itself explains nothing" in words(app)


def test_a_slow_method_waits_until_it_is_asked_for(open_app, whole):
    app = open_app(whole, method="occlusion_parts")
    assert errors(app) == []
    assert "once for every body part" in app.warning[0].value
    assert f"`stgcn-lens explain {whole} --method occlusion_parts --clips 20`" in app.warning[0].value
    assert "evidence for" not in words(app)
    app.button("compute").click().run()
    assert errors(app) == []
    assert not app.warning
    assert "At input" in words(app)


def test_a_slow_methods_maps_are_read_where_the_run_holds_them(open_app, copy):
    explain_with(Run.open(copy), MethodConfig(method="occlusion_parts", clips=("3",)))
    source = sources.open_source(str(copy), sources.stamp(copy))
    numbers = np.load(copy / "explanations" / "occlusion_parts--3" / "clips.npy")
    row = next(row for row in source.rows if row.number == numbers[1])
    live = compute.explain(source, row, None, "occlusion_parts")
    there = stored.explained(source, row, live.target, "occlusion_parts", None)
    np.testing.assert_allclose(there.maps["input"], live.maps["input"], atol=5e-8)  # rounding of float32 scores
    np.testing.assert_allclose(there.probabilities, live.probabilities, atol=1e-6)
    app = open_app(copy, method="occlusion_parts", clip=row.name)
    assert errors(app) == []
    assert not app.warning
    other = next(row for row in source.rows if row.number not in numbers)
    assert stored.explained(source, other, live.target, "occlusion_parts", None) is None
    assert stored.explained(source, row, (live.target + 1) % 4, "occlusion_parts", None) is None
    assert stored.explained(source, row, live.target, "occlusion_parts", 3) is None


@pytest.mark.parametrize(
    "query",
    [
        {"view": "layers"},
        {"view": "layers", "scale": "shared scale"},
        {"view": "layers", "method": "saliency"},
        {"view": "compare"},
        {"view": "compare", "beside": "method saliency"},
        {"view": "compare", "beside": "run demo model"},
        {"view": "compare", "beside": "nothing of the kind"},
    ],
    ids=lambda query: "-".join(query.values()),
)
def test_every_view_opens_from_its_url(open_app, whole, monkeypatch, query):
    monkeypatch.setattr(sources, "CHECKPOINT", whole)  # the bundled one has another width and takes longer
    app = open_app(whole, **query)
    assert errors(app) == []
    assert app.button_group("view").value == query["view"]
    assert ("correlation" in words(app)) == (query["view"] == "compare")


def levels(panel: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(panel["saliency"]), np.uint8)


def test_maps_share_a_scale_or_have_their_own_and_say_which(source):
    seen = compute.explain(source, source.rows[0], None)
    shown = [scenes.Shown(seen, name, name, source.classes) for name in seen.maps]
    peaks = np.array([seen.maps[name].max() for name in seen.maps])
    own = scenes.play(shown, height=160, heat=False)
    assert [levels({**own["panels"][0], **panel}).max() for panel in own["panels"]] == [255] * 10
    assert "each map relative to its own maximum" in own["scope"]
    shared = scenes.play(shown, shared=True, height=160, heat=False)
    assert [levels({**shared["panels"][0], **panel}).max() for panel in shared["panels"]] == pytest.approx(
        255 * peaks / peaks.max(), abs=0.51
    )
    assert f"up to the largest value ({peaks.max():.2g})" in shared["scope"]
    assert [panel["title"] for panel in own["panels"]] == list(seen.maps)


def test_another_runs_model_is_asked_for_the_class_of_that_name(source, copy):
    about = json.loads((copy / "model.json").read_text())
    order = [*about["classes"][1:], about["classes"][0]]
    (copy / "model.json").write_text(json.dumps({**about, "classes": order}))
    clipset = json.loads((copy / "data" / "clipset.json").read_text())
    (copy / "data" / "clipset.json").write_text(json.dumps({**clipset, "classes": order}))
    chosen = state.Selection(
        source, source.rows[2], "block_9", "throw", "gradcam", state.NO_OTHER, {"small": source.path, "copy": copy}
    )
    seen = compute.explain(source, chosen.clip, chosen.wanted())
    assert "run copy" in scenes.beside(chosen, seen, "block_9")
    assert "run small" not in scenes.beside(chosen, seen, "block_9")
    mine, theirs = scenes.pair(chosen, seen, "block_9", "run copy")
    assert mine.classes[mine.seen.target] == theirs.classes[theirs.seen.target] == "throw"
    assert theirs.seen.target == mine.seen.target - 1
    moved = compute.explain(source, chosen.clip, mine.seen.target - 1)  # the same weights, so the same map as for that
    np.testing.assert_allclose(theirs.map, moved.maps["block_9"], atol=1e-7)


def test_a_model_of_other_skeletons_is_one_error_in_words(source):
    held = compute.model(str(source.path), source.stamp)
    clip = source.clip(source.rows[0])
    other = replace(clip, layout="coco17", xyz=clip.xyz[:, :, :17], evidence=None)
    with pytest.raises(LensError, match="coco17, 17 joints, expected layout ntu25, 25 joints"):
        compute.feed(held, other)


def test_trust_in_a_clip_is_its_average_precision_beside_motion(source):
    row = source.rows[1]
    seen = compute.explain(source, row, None)
    mine, moving, chance = trust.found_evidence(seen, "block_8", row.number)
    there = np.broadcast_to(seen.clip.valid[:, None], seen.clip.evidence.shape)
    truth = seen.clip.evidence[there]
    assert mine == pytest.approx(average_precision_score(truth, seen.maps["block_8"][there]))
    assert chance == pytest.approx(truth.mean(), abs=0.05)
    assert 0 < moving < 1


def test_trust_in_a_run_is_its_verdict_in_words(open_app, copy):
    assert f"`stgcn-lens score {copy} --methods gradcam`" in words(open_app(copy))
    run = Run.open(copy)
    verdict = {"method": "gradcam", "layer": "block_10", "better_than_motion": "no", "why": "0.1 against 0.2"}
    with run.stage("score", config=None, inputs={}, device="cpu"):
        run.write_json("scores/scores.json", {"n": 6, "verdicts": [verdict]})
    assert "On 6 clips of this run, better than motion: **:red[no]** (0.1 against 0.2)" in words(open_app(copy))
    assert "do not hold gradcam at block_2" in words(open_app(copy, layer="block_2"))
    (copy / "scores" / "scores.json").write_text('{"n": 6}')
    with run.stage("score", config=None, inputs={}, device="cpu"):
        pass
    assert "scores.json" in errors(open_app(copy))[0]


def test_sessions_that_ask_one_model_at_once_get_what_each_would_get_alone(source):
    rows, methods = source.rows[:4], ("gradcam", "layercam", "saliency")
    jobs = [(row, method, target) for row in rows for method in methods for target in (None, 2)]
    compute._explain.clear()
    alone = [compute.explain(source, row, target, method) for row, method, target in jobs]
    compute._explain.clear()
    together: dict[int, compute.Explained] = {}

    def session(first: int) -> None:
        for i in range(first, len(jobs), 8):
            row, method, target = jobs[i]
            together[i] = compute.explain(source, row, target, method)

    threads = [threading.Thread(target=session, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, seen in enumerate(alone):
        assert together[i].target == seen.target
        for layer, map in seen.maps.items():
            np.testing.assert_array_equal(together[i].maps[layer], map)
    model = compute.model(str(source.model), source.stamp).loaded.model
    assert sum(len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()) == 0


@pytest.mark.parametrize("file", sorted(APP.rglob("*.py")), ids=lambda file: file.name)
def test_every_cache_of_the_app_has_an_end(file):
    for node in ast.walk(ast.parse(file.read_text())):
        for decorator in getattr(node, "decorator_list", ()):
            if "cache_data" in ast.unparse(decorator) or "cache_resource" in ast.unparse(decorator):
                assert isinstance(decorator, ast.Call), ast.unparse(decorator)
                assert {"max_entries", "max_size", "ttl"} & {keyword.arg for keyword in decorator.keywords}, node.name
