"""The distances' part of gpu_check.py, which calls it.

geometry: window DTW in every kind of product against float64 sums on the CPU; lists of neighbours against brute force;
the recursion in Triton against that in operations of torch, and the rates of both.

scale: exact nearest neighbours of as many clips as NTU-60 X-Sub has for validation, of lengths like theirs, at the
sizes of the released ST-GCN's blocks. The features are made up: movements in 24 dimensions from 60 beginnings, spread
over all features and rectified. All kinds of products must give the same lists.
"""

import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from stgcn_lens.distances import Sequences, WindowDTW, window_dtw
from stgcn_lens.distances.on_gpu import RELATIVE, Products, cdist, nearest, pairs_of, recursion
from stgcn_lens.distances.on_gpu.clips import Axis

JOINTS, K = 25, 15
BLOCKS = {64: 4, 128: 3, 256: 3}  # channels -> how many blocks of the released ST-GCN have them
PRODUCTS: tuple[Products, ...] = ("fp32", "tf32", "fp64")


def made_up(count: int, features: int, device: str) -> Sequences:
    """Clips of 32 to 300 frames, most near 80, in windows of 8."""
    draw = np.random.default_rng(0)
    lengths = np.ceil(np.exp(draw.normal(4.35, 0.35, count)).clip(32, 300) / 8).astype(int)
    moment = np.concatenate([np.linspace(0, 1, length) for length in lengths])[:, None]
    begin, speed = draw.normal(size=(60, 24))[draw.integers(60, size=count)], 0.5 * draw.normal(size=(count, 24))
    paths = np.repeat(begin, lengths, axis=0) + moment * np.repeat(speed, lengths, axis=0)
    paths += 0.3 * draw.normal(size=paths.shape)
    spread = draw.normal(size=(24, features)) / 5
    x, w = (torch.from_numpy(array).float().to(device) for array in (paths, spread))
    noise = torch.Generator(device).manual_seed(0)
    windows = np.empty((len(x), features), np.float32)
    for first in range(0, len(x), 4096):
        some = x[first : first + 4096] @ w
        some += 0.1 * torch.randn(some.shape, generator=noise, device=device)
        windows[first : first + 4096] = some.relu_().cpu().numpy()
    return Sequences(windows, np.concatenate([[0], np.cumsum(lengths)]))


def geometry(device: str) -> bool:
    on_gpu = device.startswith("cuda")
    right = [recursions(device, dtype, band) for dtype in (torch.float32, torch.float64) for band in (None, 2)]
    size = 16384 if on_gpu else 1024
    u = torch.randn((size, 1600), device=device)
    operations = 2 * size**2 * 1600
    for kind in (torch.float32, torch.float64):
        v = u.to(kind)
        print(f"product, {kind}: {operations / seconds(partial(torch.mm, v, v.T), device) / 1e12:.2f} TFLOP/s")
    a, config = made_up(300, 1600, device), WindowDTW()
    exact = window_dtw.pairs(a, *np.divmod(np.arange(len(a) ** 2), len(a)), config).reshape(len(a), -1)
    others = np.where(np.eye(len(a), dtype=bool), np.inf, exact)
    lists = np.argsort(others, axis=1, kind="stable")[:, :K]
    for products in PRODUCTS:
        wrong = np.abs(cdist(a, None, config, device=device, products=products) - exact) / np.maximum(exact, 1e-300)
        found = nearest(a, K, config, device=device, products=products)
        same = float((found.indices == lists).mean())
        print(
            f"window DTW, {products}: largest relative error {wrong.max():.1e}, entries of the lists equal {same:.4%}"
        )
        right += [float(wrong.max()) <= RELATIVE[products], same == 1.0]
    return all(right)


def recursions(device: str, dtype: torch.dtype, band: int | None) -> bool:
    """Whether Triton's recursion gives what torch's does; prints the rates of both."""
    count, longest = (2000, 38) if device.startswith("cuda") else (60, 12)
    axis = Axis(-np.sort(-np.random.default_rng(0).integers(4, longest + 1, count)))
    costs = torch.rand((int(axis.counts.sum()),) * 2, device=device, dtype=dtype)
    by_torch, by_triton = costs.clone(), costs.clone()
    recursion.by_times(by_torch, axis, axis, band)
    rate = costs.numel() / seconds(lambda: recursion.by_times(costs, axis, axis, band), device)
    told = f"recursion, {dtype}, band {band}: torch {rate:.1e} cells/s"
    same = True
    if not device.startswith("cuda") or not recursion.kernel_works(torch.device(device), dtype, band is not None):
        told += ", no Triton"
    else:
        recursion.by_lanes(by_triton, axis, axis, band)
        same = torch.equal(by_torch, by_triton)
        rate = costs.numel() / seconds(lambda: recursion.by_lanes(costs, axis, axis, band), device)
        told += f", Triton {rate:.1e} cells/s, {'equal' if same else 'NOT EQUAL'}"
    print(told)
    return same


def scale(device: str, count: int, channels: list[int]) -> bool:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    nearest(made_up(2 * K, 64, device), K, WindowDTW(), device=device)  # whatever is compiled or loaded
    total, same = dict.fromkeys(PRODUCTS, 0.0), True
    for width in channels:
        a = made_up(count, width * JOINTS, device)
        lists: list[np.ndarray] = []
        for products in PRODUCTS:
            began = time.perf_counter()
            found = nearest(a, K, WindowDTW(), device=device, products=products)
            taken = time.perf_counter() - began
            total[products] += taken * BLOCKS[width]
            lists.append(found.indices)
            told = f"{count} clips, {len(a.windows)} windows of {a.features}, {products}: {taken:.2f} s"
            print(f"{told}, refined {found.refined / count / (count - 1):.3%} of all pairs")
        # What NNK asks for: distances among each clip's neighbours.
        p, q = np.triu_indices(K, 1)
        first, second = lists[0][:1000, p].ravel(), lists[0][:1000, q].ravel()
        between = pairs_of(a, WindowDTW(), device=device)
        between(first[:1], second[:1])
        taken = seconds(partial(between, first, second), device, rounds=1)
        print(f"exact distances of pairs: {len(first) / taken:.2e} a second")
        same &= all(np.array_equal(lists[0], other) for other in lists)
    print("lists of all products are equal" if same else "LISTS DIFFER")
    if device.startswith("cuda"):
        print(f"peak memory of the device {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    blocks = sum(BLOCKS[width] for width in channels)
    for products in PRODUCTS:
        claim = f"exact {K}-NN lists of {count} clips in {blocks} layers, {products}, against the 120 s allowed for all"
        tell(claim, total[products], 120, "s", device)
    return same


def seconds(work: Callable[[], object], device: str, rounds: int = 3) -> float:
    """Shortest of some rounds after a first one."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def tell(claim: str, ours: float, peer: float, unit: str, device: str) -> None:
    what = torch.cuda.get_device_name() if device.startswith("cuda") else device
    ratio = peer / max(ours, 1e-12)
    print(json.dumps({"claim": claim, "ours": ours, "peer": peer, "ratio": ratio, "unit": unit, "device": what}))
