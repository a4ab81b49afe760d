"""The code for GPUs, on the CPU: all of it but the kernel, and that one in Triton's interpreter where Triton is."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Pooled, Sequences, WindowDTW, window_dtw
from stgcn_lens.distances.on_gpu import (
    RELATIVE,
    Products,
    blocks,
    cdist,
    nearest,
    neighbours,
    pairs,
    pairs_of,
    recursion,
)
from stgcn_lens.distances.on_gpu import exact as exact_pairs
from stgcn_lens.distances.on_gpu.clips import Axis, pack
from stgcn_lens.distances.on_gpu.room import each
from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.graphs.knn import knn
from tests.reference import dtw as literal

BANDS = [None, 0, 1, 3]
PRODUCTS: list[Products] = ["fp32", "tf32", "fp64"]
ROOT = Path(__file__).resolve().parents[2]
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")


def clips(seed: int, count: int, longest: int, features: int, shift: float = 3.0) -> list[np.ndarray]:
    """Clips with some equal ones among them."""
    rng = np.random.default_rng(seed)
    made = [(rng.normal(size=(n, features)) + shift).astype(np.float32) for n in rng.integers(1, longest + 1, count)]
    for twin in range(3, count, 5):
        made[twin] = made[twin - 2].copy()
    return made


def every(n: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.divmod(np.arange(n**2), n))  # type: ignore[return-value]


def all_to_all(a: Sequences, config: WindowDTW) -> np.ndarray:
    """(N, N) by float64."""
    return window_dtw.pairs(a, *every(len(a)), config).reshape(len(a), len(a))


def brute(a: Sequences, k: int, config: WindowDTW) -> np.ndarray:
    """Indices of the k nearest others, ties by position."""
    others = all_to_all(a, config)
    np.fill_diagonal(others, np.inf)
    return np.argsort(others, axis=1, kind="stable")[:, :k]


def small_room(patch: pytest.MonkeyPatch, size: int) -> None:
    for module in (blocks, exact_pairs, neighbours):
        patch.setattr(module, "room", lambda device: size)


def like_tf32(patch: pytest.MonkeyPatch) -> None:
    """Products of what TF32 leaves of the factors if it cuts them off."""
    product = blocks._product

    def cut(x: torch.Tensor) -> torch.Tensor:
        return (x.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)

    patch.setattr(blocks, "_product", lambda u, v, *others: product(cut(u), cut(v), *others))


def alike(seed: int) -> Sequences:
    """Clips and copies of them, with noise from none to as much as there is signal."""
    rng = np.random.default_rng(seed)
    first = [rng.normal(size=(n, 30)) * 10 + 40 for n in rng.integers(1, 9, 15)]
    noisy = [clip + 10.0 ** -rng.integers(-1, 6) * rng.normal(size=clip.shape) for clip in first for _ in range(3)]
    return Sequences.of([clip.astype(np.float32) for clip in first + noisy + first[:3]])


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("products", PRODUCTS)
def test_equals_the_literal_recursion(products: Products, normalise: bool, band: int | None) -> None:
    these = clips(1, 14, 8, 5)
    a, config = Sequences.of(these), WindowDTW(normalise, band)
    expected = np.array([[literal.window_dtw(x, y, normalise, band) for y in these] for x in these])
    ours = cdist(a, None, config, device="cpu", products=products)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)
    np.testing.assert_array_equal(ours, ours.T)
    np.testing.assert_array_equal(ours == 0, expected == 0)
    some = cdist(a, a.between(3, 9), config, device="cpu", products=products)
    np.testing.assert_allclose(some, expected[:, 3:9], rtol=1e-6)
    exact = pairs(a, *every(14), config, device="cpu")
    np.testing.assert_allclose(exact, expected.ravel(), rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2, 14),
    longest=st.integers(1, 12),
    features=st.integers(1, 20),
    config=st.builds(WindowDTW, st.booleans(), st.sampled_from(BANDS)),
    products=st.sampled_from(PRODUCTS),
    shift=st.sampled_from([0.0, 1e4]),
    size=st.sampled_from([1, 10**4, 10**8]),
)
def test_neighbours_are_those_of_brute_force(
    seed: int,
    count: int,
    longest: int,
    features: int,
    config: WindowDTW,
    products: Products,
    shift: float,
    size: int,
) -> None:
    a = Sequences.of(clips(seed, count, longest, features, shift))
    k = 1 + seed % (count - 1)
    with pytest.MonkeyPatch.context() as patch:
        small_room(patch, size)
        found = nearest(a, k, config, device="cpu", products=products)
        some = nearest(a, k, config, device="cpu", products=products, rows=(count // 3, count))
    np.testing.assert_array_equal(found.indices, brute(a, k, config))
    np.testing.assert_array_equal(some.indices, found.indices[count // 3 :])
    np.testing.assert_array_equal(some.distances, found.distances[count // 3 :])
    exact = window_dtw.pairs(a, np.repeat(np.arange(count), k), found.indices.ravel(), config)
    np.testing.assert_allclose(found.distances.ravel(), exact, rtol=1e-13)
    assert count * k <= found.refined <= count * (count - 1)


def test_neighbours_where_more_are_tied_than_are_kept_at_first() -> None:
    one = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    a = Sequences.of([one] * 60 + [one[:2]] * 3 + [one + 1])
    found = nearest(a, 2, WindowDTW(), device="cpu")
    np.testing.assert_array_equal(found.indices, brute(a, 2, WindowDTW()))
    assert found.indices[0].tolist() == [1, 2]
    assert found.indices[59].tolist() == [0, 1]


@pytest.mark.parametrize("config", [WindowDTW(band=1), Pooled()])
def test_the_graphs_search_finds_the_same_on_a_device(config: Any) -> None:
    a = Sequences.of(clips(3, 30, 6, 5))
    # Under that name torch's CPU passes for a device.
    there, here = (knn(a, 4, config, device=device) for device in ("cpu:0", "cpu"))
    np.testing.assert_array_equal(there.indices, here.indices)
    np.testing.assert_array_equal(there.distances, here.distances)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("size", [1, 2000, 10**5])
def test_tiles_do_not_show(products: Products, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, config = Sequences.of(clips(2, 8, 9, 7)), WindowDTW(band=2)
    i, j = every(8)
    whole, exact = cdist(a, None, config, device="cpu", products=products), pairs(a, i, j, config, device="cpu")
    small_room(monkeypatch, size)
    parts = cdist(a, None, config, device="cpu", products=products)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    np.testing.assert_array_equal(parts, parts.T)
    np.testing.assert_array_equal(pairs(a, i, j, config, device="cpu"), exact)
    np.testing.assert_array_equal(pairs(a, j, i, config, device="cpu"), exact)
    several = pairs_of(a, config, device="cpu")
    for part in np.array_split(np.random.default_rng(0).permutation(64), 5):
        np.testing.assert_array_equal(several(i[part], j[part]), exact[part])


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("products", PRODUCTS)
def test_sums_are_as_wrong_as_their_bounds_at_most(
    products: Products, certain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if products == "tf32":
        like_tf32(monkeypatch)
    monkeypatch.setitem(blocks._TOGETHER, "fp32", 8)
    a = alike(4)
    measure = blocks.Measure(WindowDTW(), blocks.Scale.of([a], "cpu"), products, certain, room=1 << 20)
    x = pack(a, np.arange(len(a)), "cpu")
    total, error = measure.block(x, x)
    true = measure.exact(x, x, *every(len(a))).reshape(total.shape) * measure.scale.factor**2
    wrong = (total.double() - true).abs()
    assert (wrong <= error.double()).all()
    assert wrong.max() > 1e-4 * error.max()  # else the bound would say nothing


@pytest.mark.parametrize("products", PRODUCTS)
def test_doubtful_distances_are_recomputed(products: Products, monkeypatch: pytest.MonkeyPatch) -> None:
    if products == "tf32":
        like_tf32(monkeypatch)
    a, config = alike(5), WindowDTW()
    exact = all_to_all(a, config)
    ours = cdist(a, None, config, device="cpu", products=products)
    np.testing.assert_allclose(ours, exact, rtol=RELATIVE[products], atol=0)
    assert (ours == 0).sum() > len(a)  # equal clips
    found = nearest(a, 7, config, device="cpu", products=products)
    np.testing.assert_array_equal(found.indices, brute(a, 7, config))
    if products != "fp64":  # products alone cannot tell the most alike apart
        measure = blocks.Measure(config, blocks.Scale.of([a], "cpu"), products, certain=False, room=0)
        x = pack(a, np.arange(len(a)), "cpu")
        alone = measure.distances(measure.block(x, x)[0], x.axis, x.axis).numpy()
        assert not np.allclose(alone, exact[x.order][:, x.order], rtol=10 * RELATIVE[products], atol=0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_any_unit_will_do(size: float) -> None:
    these = clips(6, 9, 5, 4, shift=0.0)
    a, scaled = Sequences.of(these), Sequences.of([clip * np.float32(size) for clip in these])
    expected = cdist(a, None, WindowDTW(), device="cpu") * size
    np.testing.assert_allclose(cdist(scaled, None, WindowDTW(), device="cpu"), expected, rtol=1e-5)
    np.testing.assert_array_equal(
        nearest(scaled, 3, WindowDTW(), device="cpu").indices, nearest(a, 3, WindowDTW(), device="cpu").indices
    )


def test_one_clip_beyond_all_others_does_not_spoil_them() -> None:
    these = clips(7, 700, 1, 3)  # more than the scale is taken from
    these[100] = np.full((1, 3), 1e25, np.float32)
    a = Sequences.of(these)
    i, j = np.arange(0, 200), np.arange(200, 0, -1)
    ours = cdist(a.between(0, 201), a.between(0, 201), WindowDTW(), device="cpu")[i, j]
    np.testing.assert_allclose(ours, window_dtw.pairs(a, i, j, WindowDTW()), rtol=RELATIVE["fp32"])


def test_constant_features_have_distance_zero_and_neighbours_by_position() -> None:
    a = Sequences.of([np.full((n, 3), 0.1, np.float32) for n in (1, 4, 2, 3, 3)])
    assert not cdist(a, None, WindowDTW(), device="cpu").any()
    found = nearest(a, 2, WindowDTW(), device="cpu")
    assert found.indices.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]
    assert not found.distances.any()


def test_takes_float64_and_memory_maps(tmp_path: Path) -> None:
    these = clips(8, 8, 6, 4)
    double = Sequences.of([clip.astype(np.float64) for clip in these])
    np.save(tmp_path / "windows.npy", np.concatenate(these))
    mapped = Sequences(np.load(tmp_path / "windows.npy", mmap_mode="r"), double.offsets)
    expected = all_to_all(double, WindowDTW())
    for a in (double, mapped):
        np.testing.assert_allclose(cdist(a, None, WindowDTW(), device="cpu"), expected, rtol=1e-6)
        np.testing.assert_array_equal(nearest(a, 3, WindowDTW(), device="cpu").indices, brute(double, 3, WindowDTW()))


def test_a_tile_that_does_not_fit_is_halved_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    a, config = Sequences.of(clips(9, 20, 5, 4)), WindowDTW()
    expected, neighbours_expected = cdist(a, None, config, device="cpu"), nearest(a, 4, config, device="cpu")
    cross = cdist(a.between(0, 7), a, config, device="cpu")
    product, sizes = blocks._product, []

    def short(u: torch.Tensor, v: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(u) * len(v))
        if sizes[-1] > 200:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.9 GiB.")
        return product(u, v, *others)

    monkeypatch.setattr(blocks, "_product", short)
    with pytest.warns(UserWarning, match="too little memory on the device for a tile .CUDA out of memory") as said:
        ours = cdist(a, None, config, device="cpu")
    assert len(said) == 1
    np.testing.assert_allclose(ours, expected, rtol=1e-6)
    assert len([size for size in sizes if size > 200]) <= 5  # no tile of a size that failed is tried again
    with pytest.warns(UserWarning, match="halved") as said:
        found = nearest(a, 4, config, device="cpu")
    assert len(said) == 1
    np.testing.assert_array_equal(found.indices, neighbours_expected.indices)
    np.testing.assert_array_equal(found.distances, neighbours_expected.distances)
    with pytest.warns(UserWarning, match="halved"):
        np.testing.assert_allclose(cdist(a.between(0, 7), a, config, device="cpu"), cross, rtol=1e-6)


def test_memory_for_less_than_two_clips_is_an_error() -> None:
    shelf = blocks.Shelf(Sequences.of(clips(10, 5, 2, 3)), np.arange(5), "cpu", 0)

    def never(rows: tuple[int, int], cols: tuple[int, int]) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.9 GiB.")

    with pytest.warns(UserWarning, match="halved"), pytest.raises(WorkError, match="does not hold two clips"):
        each([((0, 5), (0, 5))], never, shelf, shelf)


@pytest.mark.parametrize("cut", [(0, 5), (2, 3)])
def test_halves_of_a_tile_are_the_tile(cut: tuple[int, int]) -> None:
    x = blocks.Shelf(Sequences.of(clips(11, 12, 4, 2)), np.arange(12), "cpu", 0)
    y = blocks.Shelf(x.a, np.arange(5), "cpu", 0)
    for other in (x, y):
        seen = np.zeros((12, 12), int)

        def work(
            rows: tuple[int, int], cols: tuple[int, int], seen: np.ndarray = seen, other: blocks.Shelf = other
        ) -> None:
            if (rows[1] - rows[0]) * (cols[1] - cols[0]) > cut[1]:
                raise torch.OutOfMemoryError("no")
            seen[slice(*rows), slice(*cols)] += 1
            if other is x and rows != cols:
                seen[slice(*cols), slice(*rows)] += 1

        cols = (0, 12) if other is x else (0, 5)
        with pytest.warns(UserWarning, match="halved"):
            each([((0, 12), cols)], work, x, other)
        assert (seen[slice(0, 12), slice(*cols)] == 1).all()


def test_bad_input_is_refused() -> None:
    a, config = Sequences.of(clips(12, 5, 4, 3)), WindowDTW()
    with pytest.raises(LensError, match="two different layers"):
        cdist(a, Sequences.of(clips(12, 5, 4, 2)), config, device="cpu")
    for k in (0, 5):
        with pytest.raises(LensError, match=f"k = {k} of 5 clips"):
            nearest(a, k, config, device="cpu")
    for rows in ((3, 6), (2, 2), (-1, 3)):
        with pytest.raises(LensError, match="rows outside the set"):
            nearest(a, 1, config, device="cpu", rows=rows)
    for between in (lambda i, j: pairs(a, i, j, config, device="cpu"), pairs_of(a, config, device="cpu")):
        with pytest.raises(LensError, match="clip 5"):
            between(np.array([0]), np.array([5]))
        assert len(between(np.zeros(0, int), np.zeros(0, int))) == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(LensError, match="no CUDA device here"):
        cdist(Sequences.of(clips(13, 3, 2, 2)), None, WindowDTW(), device="cuda")


@pytest.mark.skipif(importlib.util.find_spec("triton") is not None, reason="Triton is installed")
def test_without_triton_nothing_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not recursion.kernel_works(torch.device("cpu"), torch.float32, False)


@needs_triton
def test_a_kernel_that_does_not_work_is_left_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(table: torch.Tensor, x: Axis, y: Axis, band: int | None) -> None:
        table += 1

    monkeypatch.setattr(recursion, "by_lanes", wrong)
    recursion.kernel_works.cache_clear()
    with pytest.warns(UserWarning, match="other numbers than torch's"):
        assert not recursion.kernel_works(torch.device("cpu"), torch.float32, False)
    recursion.kernel_works.cache_clear()


INTERPRETED = """
import torch
from stgcn_lens.distances.on_gpu.recursion import kernel_works
for dtype in (torch.float32, torch.float64):
    for banded in (False, True):
        assert kernel_works(torch.device("cpu"), dtype, banded), (dtype, banded)
"""
COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from stgcn_lens.distances.on_gpu.kernel import accumulate
for number in ("fp32", "fp64"):
    kinds = {"table": "*" + number, "width": "i32", "clips": "i32", "band": "i32"}
    kinds |= {f"{side}_{what}": "*i64" for side in ("row", "column") for what in ("lengths", "starts")}
    kinds |= {"BANDED": "constexpr", "LANES": "constexpr"}
    source = ASTSource(accumulate, kinds, {"BANDED": True, "LANES": 128})
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4, "num_stages": 1})
    assert "st.global" in made.asm["ptx"] and "cp.async" not in made.asm["ptx"]
"""


@needs_triton
@pytest.mark.parametrize(("code", "interpret"), [(INTERPRETED, "1"), (COMPILED, "0")], ids=["interpreted", "compiled"])
def test_the_kernel_gives_what_torch_gives_and_compiles_for_a_gpu(code: str, interpret: str, tmp_path: Path) -> None:
    settings_ = {
        "TRITON_INTERPRET": interpret,
        "TRITON_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ | settings_)
