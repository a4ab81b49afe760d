"""Clips on their way to the device, the share of each process, and the device itself."""

import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from stgcn_lens.errors import LensError
from stgcn_lens.processes import Group
from stgcn_lens.skeleton import get_layout
from stgcn_lens.training import TrainConfig, choose, train
from stgcn_lens.training.augment import Share, augment
from stgcn_lens.training.board import FOLDER
from stgcn_lens.training.feed import feed
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.training.steps import parts
from tests.training.clips import clip_set, job, splits
from tests.training.test_augment import SWITCHES
from tests.training.test_faults import at_epoch, interrupt


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Prepared:
    clips = clip_set(12)
    return Prepared.make(tmp_path_factory.mktemp("cache"), clips, job().preprocessing, 1, "0" * 16)


LABELS = np.arange(12) % 5
ORDER = np.random.default_rng(0).permutation(12)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("world", [1, 3])
def test_every_clip_of_the_order_comes_once_with_its_label(prepared, ahead, world):
    shares = [
        list(feed(prepared, LABELS, ORDER, parts(12, 5), "cpu", Group(r, world), ahead=ahead)) for r in range(world)
    ]
    for step, part in enumerate(parts(12, 5)):
        mine = [each[step] for each in shares]
        assert all(np.array_equal(batch.rows, ORDER[part]) for batch in mine)
        assert torch.equal(torch.cat([batch.x for batch in mine]), torch.from_numpy(prepared.x[ORDER[part]]))
        assert torch.equal(
            torch.cat([batch.present for batch in mine]), torch.from_numpy(prepared.present[ORDER[part]])
        )
        assert torch.cat([batch.target for batch in mine]).tolist() == LABELS[ORDER[part]].tolist()
        sizes = [len(batch.x) for batch in mine]
        assert max(sizes) - min(sizes) <= 1
        assert all(batch.waited >= 0 for batch in mine)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_batch_is_the_loops_own_and_a_fault_in_reading_reaches_it(prepared, ahead):
    first = next(feed(prepared, LABELS, ORDER, parts(12, 5), "cpu", ahead=ahead))
    first.x.zero_()
    assert prepared.x[ORDER[0]].any()
    with pytest.raises(IndexError):
        list(feed(prepared, LABELS, ORDER + 1, parts(12, 5), "cpu", ahead=ahead))


def test_a_training_that_reads_ahead_is_the_same(run, tmp_path, monkeypatch):
    from stgcn_lens.runs import Run
    from stgcn_lens.training import loop

    clips, other = clip_set(16), Run.create(tmp_path / "other")
    train(other, clips, splits(clips), job(epochs=2))
    monkeypatch.setattr(loop, "feed", lambda *args: feed(*args, ahead=True))
    train(run, clips, splits(clips), job(epochs=2))
    assert (run / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("count", "batch", "world", "expected"), [(10, 4, 3, [4, 6]), (11, 4, 3, [4, 4, 3]), (9, 4, 2, [4, 5])]
)
def test_no_process_is_without_a_clip(count, batch, world, expected):
    division = parts(count, batch, world)
    assert [part.stop - part.start for part in division] == expected
    for size in expected:
        shares = [Group(rank, world).share(size) for rank in range(world)]
        assert [i for share in shares for i in range(size)[share]] == list(range(size))
        assert all(share.stop > share.start for share in shares)


@pytest.mark.parametrize("switch", SWITCHES, ids=str)
def test_shares_of_a_batch_are_changed_as_the_whole_batch_is(switch):
    layout, config = get_layout("ntu25"), TrainConfig(**switch)
    x = torch.randn((5, 3, 9, 25, 2), generator=torch.Generator().manual_seed(1))
    present = torch.ones((5, 9, 2), dtype=torch.bool)
    whole = augment(x, present, layout, config, torch.Generator().manual_seed(2))
    shares = [Group(rank, 2).share(5) for rank in range(2)]
    each = [
        augment(x[share], present[share], layout, config, Share(torch.Generator().manual_seed(2), share, 5))
        for share in shares
    ]
    torch.testing.assert_close(torch.cat(each), whole)


# devices


def test_under_torchrun_every_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose("auto") == choose("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose("auto") == choose("cuda") == "cuda:1"
    assert choose("cpu") == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(LensError, match="got process 2 and 2 GPUs") as caught:
        choose("auto")
    assert "--nproc-per-node 2" in caught.value.fix


# TensorBoard


class Writer:
    """Stands for TensorBoard's, which is an extra."""

    made: list["Writer"]

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step, self.open = folder, purge_step, True
        self.scalars: dict[tuple[str, int], float] = {}
        Writer.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert self.open
        self.scalars[name, step] = value

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.open = False


@pytest.fixture
def board(monkeypatch) -> type[Writer]:
    Writer.made = []
    monkeypatch.setattr("stgcn_lens.training.board.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    return Writer


def test_the_course_of_a_training_goes_to_tensorboard(run, board):
    clips = clip_set(16)
    metrics = train(run, clips, splits(clips), job(), tensorboard=True)
    (writer,) = board.made
    assert writer.folder == str(run / FOLDER)
    assert writer.purge_step == 1
    lines = [json.loads(line) for line in (run / "train_log.jsonl").read_text().splitlines()]
    for line in lines:
        for name in ("loss", "top1", "lr", "seconds", "waited"):
            assert writer.scalars[f"train/{name}", line["epoch"]] == line[name]
    assert writer.scalars["final/test_top1", 3] == metrics["test"]["top1"]
    assert not writer.open


def test_a_training_that_goes_on_writes_its_epochs_over(run, board):
    clips = clip_set(16)
    with pytest.raises(KeyboardInterrupt):
        train(run, clips, splits(clips), job(), tensorboard=True, progress=at_epoch(3, interrupt))
    train(run, clips, splits(clips), job(), tensorboard=True)
    assert [writer.purge_step for writer in board.made] == [1, 3]
    assert {step for _, step in board.made[1].scalars} == {3}


def test_without_tensorboard_nothing_is_begun(run, monkeypatch):
    monkeypatch.setattr("stgcn_lens.training.board.find_spec", lambda _: None)
    with pytest.raises(LensError, match="not installed") as caught:
        train(run, clip_set(16), splits(clip_set(16)), replace(job()), tensorboard=True)
    assert caught.value.fix == "pip install 'stgcn-lens[tensorboard]'"
    assert run.manifest()["stages"] == {}
