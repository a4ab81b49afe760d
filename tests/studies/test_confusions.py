import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import prepare
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.upsample import to_frames
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.confusions import ConfusionsConfig, confused_pairs, confusions
from tests import tiny
from tests.reference import vote as reference
from tests.studies import planted

QUICK = ConfusionsConfig(resamples=200, permutations=400, batch=5)
BLOCKS = [f"block_{i}" for i in range(1, 7)]


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six clips of "wave" are taken for "kick", because of where the left hand is in the second half."""
    return planted.run(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def told(hand) -> dict:
    return confusions(hand, ("wave", "kick"), QUICK)


def relabelled(folder: Path) -> Run:
    """Clips of several lengths and bodies, labelled so that a network at random confuses some of them."""
    clips, net = tiny.clips(16), tiny.model()
    x = torch.from_numpy(np.stack([prepare(clip, tiny.PREP, 2).x for clip in clips]))
    with torch.no_grad():
        predicted = net(x).argmax(dim=1).tolist()
    common = sorted(set(predicted), key=predicted.count)[-2:]
    made = []
    for i, clip in enumerate(clips):
        label = predicted[i]
        if label == common[1] and predicted[: i + 1].count(label) % 2:
            label = common[0]
        made.append(clip.replace(label=label))
    return tiny.run(folder, ClipSet.from_clips(made, tiny.CLASSES), net)


def test_the_joint_and_the_half_that_were_planted_are_found_at_every_layer(told) -> None:
    assert [row["layer"] for row in told["layers"]] == BLOCKS
    for row in told["layers"]:
        found = row["from_true"]
        assert found["most"] == {"joint": "left_hand", "shown": True, "when": [[0.5, 1.0]]}
        shown = [joint for joint in found["joints"] if joint["shown"]]
        assert [joint["joint"] for joint in shown] == ["left_hand"]
        # What speaks for "wave" counts as positive: the confused clips have less of it.
        assert shown[0]["difference"]["ci_high"] < 0
        assert shown[0]["effect"] < -2
        assert shown[0]["p"] == shown[0]["p_excess"] == 1 / 401
        assert [part["shown"] for part in found["parts"]] == [False] * 5 + [True] * 5
        for joint in found["joints"]:
            if joint["joint"] != "left_hand":
                assert joint["difference"]["value"] == 0
        assert "differ most at the left hand, in the second half: there they speak for 'kick'" in found["text"]


def test_from_clips_of_the_predicted_class_they_do_not_differ(told) -> None:
    for row in told["layers"]:
        found = row["from_predicted"]
        assert not found["most"]["shown"]
        assert not any(column["shown"] for column in found["joints"])
        assert f"At {row['layer']}, against the recognised clips of 'kick': not shown; most at the " in found["text"]


def test_clips_are_those_of_clips_csv_and_margins_have_the_sign_of_the_answer(hand, told) -> None:
    rows = [row for row in tiny.table(hand) if row["split"] == "test"]
    kinds = {"confused": ("0", "1"), "true": ("0", "0"), "predicted": ("1", "1")}
    for group, (label, predicted) in kinds.items():
        expected = [int(row["clip"]) for row in rows if (row["label"], row["predicted"]) == (label, predicted)]
        assert [clip["number"] for clip in told["clips"][group]] == expected
        assert all((clip["margin"] > 0) == (group == "true") for clip in told["clips"][group])
    assert told["text"] == (
        "6 clips of 5 people in class 'wave' were taken for 'kick' (split 'test'). Recognised: 10 clips of 5 people in "
        "'wave', 10 clips of 5 people in 'kick'."
    )


@pytest.mark.parametrize("config", [QUICK, ConfusionsConfig(scale="clip", pooling="body", parts=3, permutations=5)])
def test_numbers_of_every_clip_are_those_of_the_two_maps_subtracted(config, tmp_path) -> None:
    run = relabelled(tmp_path)
    pair = confused_pairs(run)["pairs"][0]
    about = confusions(run, (pair["true"], pair["predicted"]), config)
    arrays = np.load(run / about["arrays"])
    model = load(run.path).model
    true, predicted = (tiny.CLASSES.index(pair[side]) for side in ("true", "predicted"))
    clips = ClipSet.open(run / "data")
    several = 0
    for row in about["layers"][::2]:
        layer, stride = row["layer"], row["stride"]
        tables, sizes, stored = [], [], []
        for group in ("confused", "true", "predicted"):
            assert arrays[f"{layer}/{group}"].shape == (len(about["clips"][group]), 25, config.parts)
            assert row["without_evidence"][group] == 0
            stored.extend(arrays[f"{layer}/{group}"])
            for clip in about["clips"][group]:
                sample = prepare(clips[clip["number"]], tiny.PREP, 2)
                x = torch.from_numpy(sample.x[None])
                maps = [
                    grad_cam(model, x, torch.tensor([c]), signed=True, pooling=config.pooling).maps[layer][0]
                    for c in (true, predicted)
                ]
                present = sample.present[: sample.frames]
                cells = to_frames(maps[0] - maps[1], stride, sample.frames) * present[:, None]
                tables.append(reference.in_parts(cells, config.parts, fine=config.parts))
                sizes.append(np.abs(cells).sum())
                several += present.sum(axis=1).max() > 1
        divisor = sizes if config.scale == "clip" else [np.mean(sizes)] * len(sizes)
        expected = np.stack(tables) / np.array(divisor)[:, None, None]
        np.testing.assert_allclose(np.stack(stored), expected, atol=2e-5)
        if config.scale == "clip":
            assert np.abs(np.stack(stored)).sum(axis=(1, 2)).max() <= 1 + 1e-5
    assert several


def test_comparisons_are_those_of_the_stored_numbers(told, hand) -> None:
    arrays = np.load(hand / told["arrays"])
    for row in told["layers"]:
        a, b = (arrays[f"{row['layer']}/{group}"].astype(np.float64) for group in ("confused", "true"))
        for j, joint in enumerate(row["from_true"]["joints"]):
            assert joint["confused"]["value"] == pytest.approx(a[:, j].sum(axis=1).mean(), abs=1e-5)
            assert joint["recognised"]["value"] == pytest.approx(b[:, j].sum(axis=1).mean(), abs=1e-5)
        for p, part in enumerate(row["from_true"]["parts"]):
            assert (part["from"], part["to"]) == pytest.approx((p / 10, (p + 1) / 10))
            difference = a[:, :, p].sum(axis=1).mean() - b[:, :, p].sum(axis=1).mean()
            assert part["difference"]["value"] == pytest.approx(difference, abs=1e-5)


def test_pairs_are_the_matrix_of_the_run(hand, tmp_path) -> None:
    about = confused_pairs(hand)
    assert (about["clips"], about["mistaken"], about["classes"]) == (26, 6, 4)
    assert about["pairs"] == [{"true": "wave", "predicted": "kick", "n": 6, "of": 16, "share": 6 / 16}]
    assert json.loads((hand / "confusions/pairs.json").read_text()) == about
    run = relabelled(tmp_path)
    told = confused_pairs(run)
    rows = [row for row in tiny.table(run) if row["split"] == "test"]
    for pair in told["pairs"]:
        true, predicted = (str(tiny.CLASSES.index(pair[side])) for side in ("true", "predicted"))
        assert pair["n"] == sum((row["label"], row["predicted"]) == (true, predicted) for row in rows)
        assert pair["of"] == sum(row["label"] == true for row in rows)
    assert (
        told["mistaken"] == sum(row["label"] != row["predicted"] for row in rows) == sum(p["n"] for p in told["pairs"])
    )
    assert [pair["n"] for pair in told["pairs"]] == sorted((pair["n"] for pair in told["pairs"]), reverse=True)


def test_another_side_of_the_run_has_its_own_pairs(hand) -> None:
    assert confused_pairs(hand, "train")["pairs"] == []
    with pytest.raises(RunError, match=r"no labelled clip in split 'val'"):
        confused_pairs(hand, "val")
    confused_pairs(hand)


def test_the_files_hold_what_is_returned_and_the_same_every_time(hand, told) -> None:
    assert told["file"] == "confusions/wave--kick.json"
    assert json.loads((hand / told["file"]).read_text()) == told
    again = confusions(hand, ("0", "1"), ConfusionsConfig(resamples=200, permutations=400, batch=16))
    assert again["config"] == {**told["config"], "batch": 16}
    for one, other in zip(told["layers"], again["layers"], strict=True):
        assert one["from_true"]["most"] == other["from_true"]["most"]
    assert confusions(hand, ("wave", "kick"), QUICK) == told


@pytest.mark.parametrize(("confused", "recognised", "why"), [(2, 5, "2 confused clips"), (5, 2, "2 recognised clips")])
def test_of_too_few_clips_nothing_is_shown(confused, recognised, why, tmp_path) -> None:
    run = planted.run(tmp_path, planted.clips(confused=confused, recognised=recognised))
    about = confusions(run, ("wave", "kick"), QUICK)
    for row in about["layers"]:
        found = row["from_true"]
        assert found["text"].endswith(
            f"against the recognised clips of 'wave': not shown, {why}; at least 3 are needed."
        )
        assert (found["joints"], found["parts"], found["most"]) == (None, None, None)
    assert np.load(run / about["arrays"])["block_1/confused"].shape == (confused, 25, 10)


def test_that_all_are_one_persons_is_said(tmp_path) -> None:
    clips = planted.clips(confused=3, recognised=4)
    made = [clip.replace(subject=9) if 2 <= i < 5 else clip for i, clip in enumerate(clips)]
    run = planted.run(tmp_path, ClipSet.from_clips(made, tiny.CLASSES))
    text = confusions(run, ("wave", "kick"), QUICK)["text"]
    assert text.startswith("3 clips of 1 person in class 'wave'")
    assert text.endswith("All of one person: what differs may be the person.")
    unknown = [clip.replace(subject=None) for clip in clips]
    run = planted.run(tmp_path / "unknown", ClipSet.from_clips(unknown, tiny.CLASSES))
    assert confusions(run, ("wave", "kick"), QUICK)["text"].startswith("3 clips in class 'wave' were")


def test_a_network_that_answers_the_same_to_everything_has_no_evidence(tmp_path) -> None:
    clips = planted.clips(confused=4, recognised=4)
    net = planted.model(clips)
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([0.0, 1.0, -1.0, -1.0]))
    run = tiny.run(tmp_path, clips, net, planted.PREP)
    about = confusions(run, ("wave", "kick"), QUICK)
    for row in about["layers"]:
        assert row["without_evidence"] == {"confused": 8, "true": 0, "predicted": 4}
        assert "not shown, 0 recognised clips" in row["from_true"]["text"]
        assert not row["from_predicted"]["most"]["shown"]
        assert row["from_predicted"]["joints"][0]["effect"] is None


def test_class_names_that_are_paths_write_into_the_run_only(tmp_path, monkeypatch) -> None:
    classes = ("../../wave", "ki/ck", "sit", "never seen")
    monkeypatch.setattr(tiny, "CLASSES", classes)
    run = planted.run(tmp_path / "below" / "here", planted.clips(confused=3, recognised=3, classes=classes))
    about = confusions(run, ("../../wave", "ki/ck"), QUICK)
    for name in (about["file"], about["arrays"]):
        assert (run / name).resolve().parent == (run / "confusions").resolve()
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["here"]
    assert about["true"] == "../../wave"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("wawe", "kick"), r"run: no such class: got 'wawe', expected one of 'wave', 'kick', 'sit', 'never seen'"),
        (("wave", "9"), "no such class: got '9'"),
        (("wave", "wave"), "twice the same class: got 'wave'"),
        (
            ("kick", "wave"),
            r"no clip of 'kick' was taken for 'wave' in split 'test': expected one of 'wave' for 'kick' \(6\)",
        ),
        (("wave", "never seen"), r"no clip of 'wave' was taken for 'never seen'"),
    ],
)
def test_what_is_no_confused_pair_is_told_with_those_there_are(hand, pair, message) -> None:
    with pytest.raises(LensError, match=message):
        confusions(hand, pair, QUICK)


def test_a_run_without_mistakes_has_no_pair(tmp_path) -> None:
    run = planted.run(tmp_path, planted.clips(confused=0, recognised=3))
    assert confused_pairs(run)["pairs"] == []
    with pytest.raises(LensError, match="expected a pair that was confused, but every clip is recognised"):
        confusions(run, ("wave", "kick"), QUICK)


def test_a_run_of_one_class_has_no_pair(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tiny, "CLASSES", ("wave",))
    clips = ClipSet.from_clips([clip.replace(label=0) for clip in tiny.clips(5)], ("wave",))
    run = tiny.run(tmp_path, clips, tiny.model(classes=1, width=1))
    assert confused_pairs(run)["pairs"] == []
    with pytest.raises(LensError, match="the run knows one class only: got 'wave', expected at least 2"):
        confusions(run, ("wave", "kick"), QUICK)


def test_a_layer_that_is_not_there_is_told_before_the_work(hand) -> None:
    seen: list[int] = []
    with pytest.raises(LensError, match="no such layer: got 'block_7', expected one of 'block_1', "):
        confusions(hand, ("wave", "kick"), QUICK, layer="block_7", progress=lambda done, total: seen.append(done))
    assert seen == []


def test_clips_are_counted_while_they_are_done(hand) -> None:
    seen: list[tuple[int, int]] = []
    confusions(hand, ("wave", "kick"), QUICK, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(5, 26), (10, 26), (15, 26), (20, 26), (25, 26), (26, 26)]


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(
        LensError, match="impossible settings: got parts 0, batch 16, resamples 1000, permutations 2000"
    ):
        ConfusionsConfig(parts=0)


def test_a_run_that_was_not_trained_says_what_to_run(tmp_path) -> None:
    with pytest.raises(RunError, match=r"stage 'train' has not been run; run: stgcn-lens train"):
        confused_pairs(Run.create(tmp_path / "run"))
