import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.activations import plain_float32
from stgcn_lens.data.batches import ahead
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.embeddings import EmbedConfig, embed, open_model
from stgcn_lens.errors import DataError, LensError, RunError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, graph
from tests import tiny
from tests.reference import windows as reference

LAYERS = ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]
GEOMETRY = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)


def sequences(run: Run, layer: str) -> list[np.ndarray]:
    """Windows of each clip, as a reader of the contract would cut them."""
    values = np.load(run / f"embeddings/{layer}/windows.npy")
    return [values[a:b] for a, b in pairwise(np.load(run / f"embeddings/{layer}/offsets.npy"))]


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    """Equal to 1e-6 of the largest value."""
    return got.shape == wanted.shape and np.abs(got - wanted).max() <= 1e-6 * max(1.0, np.abs(wanted).max())


def files(run: Run) -> list[str]:
    """All files of an embedding, by their paths in its folder."""
    folder = run / "embeddings"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory):
    return tiny.clips(), tiny.model(), tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="module")
def embedded(source) -> Run:
    clips, net, folder = source
    run = tiny.run(folder, clips, net)
    embed(run, EmbedConfig(batch=4))
    return run


@pytest.fixture
def fresh(tmp_path) -> Run:
    """A run of its own, not embedded yet."""
    return tiny.run(tmp_path, tiny.clips(8), tiny.model(width=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"stride": 0},
        {"window": 4, "stride": 5},
        {"batch": 0},
        {"how": "max"},
        {"split": "none"},
        {"storage": "int8"},
    ],
)
def test_impossible_settings_are_refused_with_what_was_got(wrong) -> None:
    with pytest.raises(LensError, match=f"got .*{next(iter(wrong.values()))}.*expected"):
        EmbedConfig(**wrong)


def test_a_run_holds_what_each_clip_gives_alone(source, embedded) -> None:
    clips, net, _ = source
    chosen = np.load(embedded / "embeddings/clips.npy")
    stored = {layer: sequences(embedded, layer) for layer in LAYERS}
    assert chosen.tolist() == list(range(2, 12))
    for position, number in enumerate(chosen):
        sample = prepare(clips[number], tiny.PREP, 2)
        for layer, activation in tiny.activations(net, clips[number], tiny.PREP, 2).items():
            if layer == "logits":
                wanted = activation[None]
            else:
                stride = net.strides[layer]
                rows = reference.frame_features(activation, sample.present, sample.frames, stride)
                wanted = np.array(reference.windows(rows, 8, None, "mean", stride))
            assert close(stored[layer][position], wanted), (layer, number)


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_the_batch_does_not_change_the_result(source, embedded, batch, tmp_path) -> None:
    clips, net, _ = source
    run = tiny.run(tmp_path, clips, net)
    embed(run, EmbedConfig(batch=batch))
    for layer in LAYERS:
        for got, wanted in zip(sequences(run, layer), sequences(embedded, layer), strict=True):
            assert close(got, wanted), layer


def test_files_are_those_of_the_contract(source, embedded) -> None:
    net = source[1]
    about = json.loads((embedded / "embeddings/layers.json").read_text())
    assert [row["layer"] for row in about] == LAYERS
    assert [row["stride"] for row in about] == [*net.strides.values(), None]
    assert [row["channels"] for row in about] == [3, 3, 3, 6, 6, 12, 12, 4]
    assert np.load(embedded / "embeddings/clips.npy").dtype == np.int64
    for row in about:
        values = np.load(embedded / f"embeddings/{row['layer']}/windows.npy", mmap_mode="r", allow_pickle=False)
        offsets = np.load(embedded / f"embeddings/{row['layer']}/offsets.npy", allow_pickle=False)
        joints = 1 if row["layer"] == "logits" else 25
        assert values.shape == (offsets[-1], row["channels"] * joints)
        assert (values.dtype, offsets.dtype, offsets.shape, offsets[0]) == (np.float32, np.int64, (11,), 0)
    # 31, 1, 9 and 24 frames in turn, cropped to 24; three, one, two and three windows of 8.
    assert np.diff(np.load(embedded / "embeddings/input/offsets.npy")).tolist() == [3, 1, 2, 3, 3, 1, 2, 3, 3, 1]
    assert np.diff(np.load(embedded / "embeddings/block_6/offsets.npy")).tolist() == [3, 1, 2, 3, 3, 1, 2, 3, 3, 1]


def test_logits_are_one_window_a_clip_and_agree_with_the_predictions(embedded) -> None:
    assert [len(window) for window in sequences(embedded, "logits")] == [1] * 10
    predicted = [int(row["predicted"]) for row in tiny.table(embedded)[2:]]
    assert np.load(embedded / "embeddings/logits/windows.npy").argmax(axis=1).tolist() == predicted
    assert len(set(predicted)) > 1


def test_a_replayed_clip_uses_only_its_own_rows(tmp_path) -> None:
    clips = tiny.clips(4)
    run = tiny.run(tmp_path, clips, tiny.model(width=1), Preprocessing(frames=24, fit="replay"))
    embed(run, EmbedConfig(split="all"))
    windows_of = {clip.frames: sequence for clip, sequence in zip(clips, sequences(run, "input"), strict=True)}
    assert {frames: len(sequence) for frames, sequence in windows_of.items()} == {9: 2, 24: 3, 31: 3, 1: 1}
    x = prepare(clips[0], Preprocessing(frames=24, fit="replay"), 2).x
    np.testing.assert_allclose(windows_of[9][1], x[:, 8, :, 0].ravel(), rtol=1e-6)


@pytest.mark.parametrize(("split", "clips"), [("test", [2, 3, 4, 5, 6, 7]), ("train", [0, 1]), ("all", [*range(8)])])
def test_the_split_chooses_the_clips(fresh, split, clips) -> None:
    assert embed(fresh, EmbedConfig(split=split)) == len(clips)
    assert np.load(fresh / "embeddings/clips.npy").tolist() == clips


def test_clips_without_a_label_are_left_out(tmp_path) -> None:
    clips = tiny.clips(8)
    unknown = [clip.replace(label=None) if i in (3, 5) else clip for i, clip in enumerate(clips)]
    run = tiny.run(tmp_path, type(clips).from_clips(unknown, tiny.CLASSES), tiny.model(width=1))
    embed(run, EmbedConfig())
    assert np.load(run / "embeddings/clips.npy").tolist() == [2, 4, 6, 7]
    assert graph(run, GEOMETRY)[0]["n"] == 4


def test_features_that_are_not_finite_name_clip_and_layer_and_leave_nothing(tmp_path) -> None:
    net = tiny.model(width=1)
    with torch.no_grad():
        net.blocks[2].temporal.bias[0] = float("nan")
    run = tiny.run(tmp_path, tiny.clips(6), net)
    with pytest.raises(DataError, match=r"clip 2: features at layer 'block_3' are not finite: got \d+ of \d+"):
        embed(run, EmbedConfig())
    assert not (run / "embeddings").exists()
    assert [path.name for path in run.path.iterdir() if "embeddings" in path.name] == []
    assert run.manifest()["stages"]["embed"]["status"] == "failed"


def test_float16_is_the_nearest_to_float32_in_half_the_bytes(embedded, source, tmp_path) -> None:
    clips, net, _ = source
    run = tiny.run(tmp_path, clips, net)
    embed(run, EmbedConfig(batch=4, storage="float16"))
    assert files(run) == files(embedded)
    for layer in LAYERS:
        half, whole = (np.load(each / f"embeddings/{layer}/windows.npy") for each in (run, embedded))
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half, whole.astype(np.float16))


def test_a_feature_too_large_for_float16_names_clip_layer_and_remedy(tmp_path) -> None:
    net = tiny.model(width=1)
    with torch.no_grad():
        net.blocks[2].temporal_norm.bias[0] = 7e4
    run = tiny.run(tmp_path, tiny.clips(6), net)
    wanted = (
        r"clip 2: a feature at layer 'block_3' is too large to be stored as float16: got 7\d{4}.*, "
        r"expected at most 65504; embed with --storage float32"
    )
    with pytest.raises(DataError, match=wanted):
        embed(run, EmbedConfig(storage="float16"))
    assert not (run / "embeddings").exists()
    assert not (run / "cache").exists()
    assert embed(run, EmbedConfig()) == 4


def test_a_network_that_is_given_takes_the_place_of_the_runs_own(fresh, tmp_path) -> None:
    other = load(tiny.run(tmp_path / "other", tiny.clips(8), tiny.model(width=1, seed=1)).path)
    embed(fresh, EmbedConfig())
    own = sequences(fresh, "block_6")
    (fresh / "model.safetensors").unlink()
    embed(fresh, EmbedConfig(), network=other)
    given = sequences(fresh, "block_6")
    assert abs(np.concatenate(given) - np.concatenate(own)).max() > 0.1
    for position in range(6):
        wanted = tiny.activations(other.model, tiny.clips(8)[position + 2], tiny.PREP, 2)["logits"]
        assert close(sequences(fresh, "logits")[position][0], wanted)
    assert fresh.manifest()["stages"]["embed"]["inputs"]["weights"] == other.hash


def test_the_same_items_come_from_a_thread_and_an_error_where_it_happened() -> None:
    threads, used = set(), []

    def items(n: int) -> Iterator[int]:
        for i in range(n):
            threads.add(threading.get_ident())
            yield i
        raise DataError("the end")

    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []
    with pytest.raises(DataError, match="the end"):
        used.extend(ahead(items(3)))
    assert used == [0, 1, 2]
    assert threading.get_ident() not in threads


def test_gpu_arithmetic_is_that_of_the_cpu_and_set_back() -> None:
    places = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    with plain_float32("cuda:0"):
        assert [place.fp32_precision for place in places] == ["ieee", "ieee"]
    assert [place.fp32_precision for place in places] == before


def test_a_run_without_a_model_says_which_command_makes_one(tmp_path) -> None:
    run = Run.create(tmp_path / "empty")
    with pytest.raises(RunError, match=r"'train' has not been run; run: stgcn-lens train --data DATA --out .*empty"):
        embed(run, EmbedConfig())


def test_an_embedding_that_is_up_to_date_is_left_alone(fresh) -> None:
    calls: list[tuple[int, int]] = []
    note = lambda done, total: calls.append((done, total))  # noqa: E731
    assert embed(fresh, EmbedConfig(batch=4), progress=note) == 6
    assert calls == [(4, 6), (6, 6)]
    manifest, files = fresh.manifest(), (fresh / "embeddings").stat().st_ino
    assert embed(fresh, EmbedConfig(batch=4), progress=note) == 6
    assert (fresh.manifest(), (fresh / "embeddings").stat().st_ino, len(calls)) == (manifest, files, 2)


def test_an_interrupted_embedding_goes_on_where_it_was(embedded, tmp_path, source) -> None:
    clips, net, _ = source
    run, calls = tiny.run(tmp_path, clips, net), []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(run, EmbedConfig(batch=4), progress=stop)
    assert not (run / "embeddings").exists()
    with pytest.raises(RunError, match="'embed' was interrupted; run: stgcn-lens embed"):
        run.key("embed")
    embed(run, EmbedConfig(batch=4), progress=lambda done, total: calls.append(done))
    assert calls == [4, 8, 10]
    assert not (run / "cache").exists()
    for file in files(embedded):
        assert (run / "embeddings" / file).read_bytes() == (embedded / "embeddings" / file).read_bytes(), file


def test_unfinished_work_with_another_window_is_not_used_and_goes(fresh) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(fresh, EmbedConfig(batch=2), progress=stop)
    assert len(list((fresh / "cache").iterdir())) == 1
    embed(fresh, EmbedConfig(batch=2, window=4))
    assert not (fresh / "cache").exists()
    assert len(sequences(fresh, "input")[0]) == 6


@pytest.mark.parametrize("change", ["force", "window", "missing file", "other weights"])
def test_an_embedding_is_made_again_when(fresh, change) -> None:
    embed(fresh, EmbedConfig())
    before = (fresh / "embeddings").stat().st_ino
    if change == "missing file":
        (fresh / "embeddings/layers.json").unlink()
    if change == "other weights":
        manifest = fresh.manifest()
        manifest["stages"]["train"]["weights"] = "those of a training with --force on another machine"
        fresh.write_json("manifest.json", manifest)
    embed(fresh, EmbedConfig(window=4 if change == "window" else 8), force=change == "force")
    assert (fresh / "embeddings").stat().st_ino != before
    assert (fresh / "embeddings/layers.json").is_file()


def test_graphs_of_an_earlier_embedding_are_stale_and_made_again(fresh) -> None:
    embed(fresh, EmbedConfig())
    graph(fresh, GEOMETRY)
    first = np.load(fresh / "graphs/input.npz")["distances"]
    embed(fresh, EmbedConfig(), force=True)
    assert fresh.key("graph")  # the same configuration gives the same embedding
    embed(fresh, EmbedConfig(window=2))
    with pytest.raises(RunError, match=r"'graph' was made from what has since been replaced; run: stgcn-lens graph"):
        fresh.key("graph")
    graph(fresh, GEOMETRY)
    assert fresh.key("graph")
    assert not np.array_equal(np.load(fresh / "graphs/input.npz")["distances"], first)


def test_clips_of_another_layout_are_refused(fresh) -> None:
    tiny.clips(8, layout="kinect20").save(fresh / "data")
    wanted = (
        r"data: the clips do not fit the model: got layout 'kinect20', 3 channels x 20 joints = 60 numbers a frame, "
        r"expected layout 'ntu25', 3 channels x 25 joints = 75 numbers a frame; .* --to-layout ntu25; or .* train"
    )
    with pytest.raises(DataError, match=wanted):
        open_model(fresh, "cpu")


def test_2d_clips_are_not_told_to_become_3d(fresh) -> None:
    tiny.clips(8, layout="coco17").save(fresh / "data")
    with pytest.raises(DataError, match=r"3 channels x 17 joints = 51 numbers a frame.* clips in 2-D cannot") as caught:
        open_model(fresh, "cpu")
    assert "--to-layout" not in str(caught.value)


def test_clips_that_changed_since_the_training_are_refused(fresh) -> None:
    tiny.clips(9).save(fresh / "data")
    with pytest.raises(RunError, match="the clips have changed since `train`: got fingerprint"):
        embed(fresh, EmbedConfig())


@pytest.mark.long
def test_peak_memory_grows_by_less_than_a_tenth_on_a_set_ten_times_larger() -> None:
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "embed_memory.py"
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    numbers = json.loads(printed.splitlines()[-1])
    assert numbers["peer"] / numbers["ours"] < 1.1
