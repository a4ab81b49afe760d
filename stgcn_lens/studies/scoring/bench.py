"""The network and the sample of clips on which maps are judged, and whatever makes maps: methods and controls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stgcn_lens.activations import evaluating, record
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import present_rows, rows
from stgcn_lens.data.transforms import clean, fit
from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.explain import Explainer
from stgcn_lens.explain.cells import Cells, cells_of
from stgcn_lens.explain.controls import motion, motion_of_input, random_map
from stgcn_lens.explain.fidelity import boxes
from stgcn_lens.explain.randomisation import groups
from stgcn_lens.explain.stability import change
from stgcn_lens.explain.upsample import to_clip, to_frames
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.models.protocol import Lens
from stgcn_lens.studies.scoring.config import ScoreConfig

INPUT = "input"
ROUNDING = 1e-5  # of a logit in float32, through all layers (ours)


@dataclass(frozen=True, eq=False)
class Job:
    """A batch of inputs to explain: `x` (B, C, T, V, M), the classes (B,), and the clip (B,) that each is made from.

    `key` names the occasion: a random map is another one on each.
    """

    x: np.ndarray
    target: np.ndarray
    clips: np.ndarray
    key: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Subject:
    """Something that makes maps.

    Attributes
    ----------
    name : a key of `EXPLAINERS`, or the name of a control. `layers`: whose maps it makes, in depth order.
    make : `make(bench, model, job)` -> layer -> (B, T, V, M) on the model's frames, zero in padding.
    of_clip : `of_clip(clip, seed)` -> (F, V, M) on the frames of a cleaned clip, for controls that need no network.
    draws : how often it is asked anew, with the draw as the first number of the job's key; scores are averaged.
    """

    name: str
    layers: tuple[str, ...]
    make: Callable[["Bench", Lens, Job], Mapping[str, np.ndarray]]
    of_clip: Callable[[Clip, list[int]], np.ndarray] | None = None
    draws: int = 1

    @property
    def control(self) -> bool:
        """Whether it knows nothing of the network."""
        return self.of_clip is not None


@dataclass(frozen=True, eq=False)
class Disturbed:
    """Inputs next to a clip: `x` (P, C, T, V, M); `same` (P,), whether the predicted class is the clip's own.

    `inputs`, `logits` and `features` (layer -> (P,)) are how much these changed, see `stability`.
    """

    x: np.ndarray
    same: np.ndarray
    inputs: np.ndarray
    logits: np.ndarray
    features: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Bench:
    """A network and a sample of clips, with its answers for them.

    `cells`, `clips` (cleaned) and `sources` (see `Sample.source`) hold one entry a clip; `target` (N,) is the
    predicted class, which is explained; `second` (N,) the class next to it; `logits` (N, classes).
    """

    model: Lens
    config: ScoreConfig
    device: str
    names: tuple[str, ...]
    cells: list[Cells]
    clips: list[Clip]
    sources: list[np.ndarray]
    logits: np.ndarray = field(init=False)
    target: np.ndarray = field(init=False)
    second: np.ndarray = field(init=False)
    _near: dict[int, Disturbed] = field(init=False, default_factory=dict)
    _less: dict[int, tuple[np.ndarray, np.ndarray]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        logits = self.ask(np.stack([cells.x for cells in self.cells]))
        if logits.shape[1] < 2:
            raise LensError("a network of one class", got=logits.shape[1], expected="at least 2 classes")
        if not np.isfinite(logits).all():
            raise WorkError("the network's answers are not finite numbers", fix="train again at a lower --lr")
        order = np.argsort(-logits, axis=1, kind="stable")
        for name, value in (("logits", logits), ("target", order[:, 0]), ("second", order[:, 1])):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.cells)

    def ask(self, x: np.ndarray) -> np.ndarray:
        """Logits (B, classes) of clips (B, C, T, V, M)."""
        assert isinstance(self.model, torch.nn.Module)
        with torch.inference_mode(), evaluating(self.model):
            parts = [
                self.model(torch.from_numpy(x[i : i + self.config.batch]).to(self.device)).float().cpu().numpy()
                for i in range(0, len(x), self.config.batch)
            ]
        return np.concatenate(parts)

    def whole(self, count: int | None = None) -> Job:
        """The first clips of the sample as they are, and the classes predicted for them."""
        chosen = np.arange(len(self))[:count]
        return Job(np.stack([self.cells[i].x for i in chosen]), self.target[chosen], chosen)

    def explain(self, subject: Subject, job: Job, model: Lens | None = None) -> np.ndarray:
        """Maps of all the subject's layers, (K, B, T, V, M), of this network or of another one."""
        found = subject.make(self, model or self.model, job)
        return np.stack([found[layer] for layer in subject.layers])

    def disturbed(self, i: int) -> Disturbed:
        """Inputs next to clip i, the same for every subject."""
        if i not in self._near:
            config, cells = self.config, self.cells[i]
            x = cells.x + config.disturbance * cells.noise(config.disturbed, [config.seed, 3, i])
            logits, features = self._changes(i, np.concatenate([cells.x[None], x]))
            self._near[i] = Disturbed(
                x,
                logits[1:].argmax(axis=1) == self.target[i],
                change(cells.x, x, config.form),
                np.linalg.norm(logits[1:].astype(np.float64) - logits[0], axis=1),  # as published: not relative
                features,
            )
        return self._near[i]

    def removed(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Random removals from clip i, the same for every subject: masks (S, T, V, M), drops (S,) of the logit."""
        if i not in self._less:
            config, cells = self.config, self.cells[i]
            masks = boxes(cells, config.removals, [config.seed, 5, i])
            whole = self.logits[i, self.target[i]]
            drops = whole - self.ask(cells.without(masks, config.fill))[:, self.target[i]]
            # A clip in which nothing can be removed (one frame is its own mean) must not be judged by rounding.
            self._less[i] = masks, np.where(np.abs(drops) > ROUNDING * max(1, abs(whole)), drops, 0)
        return self._less[i]

    def steps(self) -> dict[str, list[str]]:
        """What randomisation draws anew, step by step, see `randomisation.groups`."""
        return groups(self.model, torch.from_numpy(self.cells[0].x[None]).to(self.device))

    def _changes(self, i: int, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits of a clip and its neighbours (1 + P, C, T, V, M), and how much each layer's features changed."""
        cells, model = self.cells[i], self.model
        assert isinstance(model, torch.nn.Module)
        with torch.inference_mode(), evaluating(model), record(model, model.layers) as kept:
            logits = model(torch.from_numpy(x).to(self.device)).float().cpu().numpy()
            changes = {}
            for name in model.layers:
                there = present_rows(cells.there, model.strides[name], cells.frames)  # (rows, M)
                a = kept[name].float().cpu().numpy()
                a = a.reshape(len(x), -1, *a.shape[1:])[:, :, :, : len(there)]  # (1 + P, M, C_l, rows, V)
                a = a * there.T[:, None, :, None]
                changes[name] = change(a[0], a[1:], self.config.form)
        return logits, changes


def open_bench(loaded: Loaded, clips: ClipSet, chosen: np.ndarray, config: ScoreConfig, device: str) -> Bench:
    """The network with the chosen clips, prepared for it."""
    prep = loaded.preprocessing
    cleaned = [clean(clips[int(i)], prep) for i in chosen]
    samples = [fit(clip, prep, loaded.bodies) for clip in cleaned]
    return Bench(
        model=loaded.model,
        config=config,
        device=device,
        names=tuple(clip.name for clip in cleaned),
        cells=[cells_of(s, loaded.layout, prep.stream, replayed=prep.fit == "replay") for s in samples],
        clips=cleaned,
        sources=[sample.source for sample in samples],
    )


def method(row: Explainer, layers: Sequence[str]) -> Subject:
    """A row of `EXPLAINERS` as a subject; `layers` are those asked for of a method that explains layers."""

    def make(bench: Bench, model: Lens, job: Job) -> Mapping[str, np.ndarray]:
        found: dict[str, list[np.ndarray]] = {layer: [] for layer in subject.layers}
        for begin in range(0, len(job.x), bench.config.batch):
            part = slice(begin, begin + bench.config.batch)
            x, target = (torch.from_numpy(a[part]).to(bench.device) for a in (job.x, job.target))
            cells = [bench.cells[i] for i in job.clips[part]]
            maps = row.function(model, x, target, cells=cells, **chosen).maps
            for layer in subject.layers:
                stride = model.strides[layer]
                found[layer] += [on_frames(map, c, stride) for map, c in zip(maps[layer], cells, strict=True)]
        return {layer: np.stack(maps) for layer, maps in found.items()}

    chosen: dict[str, Any] = {"layers": list(layers)} if row.per_layer else {}
    subject = Subject(row.name, tuple(layers) if row.per_layer else (INPUT,), make)
    return subject


def controls(config: ScoreConfig) -> tuple[Subject, Subject]:
    """The random map and motion magnitude."""

    def chance(bench: Bench, model: Lens, job: Job) -> Mapping[str, np.ndarray]:
        shape = job.x.shape[2:]
        maps = [
            random_map(shape, [config.seed, 1, int(i), n, *job.key]) * bench.cells[i].present
            for n, i in enumerate(job.clips)
        ]
        return {INPUT: np.stack(maps)}

    def moving(bench: Bench, model: Lens, job: Job) -> Mapping[str, np.ndarray]:
        some = [bench.cells[i] for i in job.clips]
        maps = [motion_of_input(x, c.there, c.layout, c.stream) for x, c in zip(job.x, some, strict=True)]
        return {INPUT: np.stack(maps)}

    return (
        Subject(
            "random",
            (INPUT,),
            chance,
            of_clip=lambda clip, seed: random_map(clip.xyz.shape[1:], seed),
            draws=config.random_maps,
        ),
        Subject("motion", (INPUT,), moving, of_clip=lambda clip, seed: motion(clip)),
    )


def on_frames(map: np.ndarray, cells: Cells, stride: int) -> np.ndarray:
    """A layer's map (T_l, V, M) on the model's frames, (T, V, M); nothing in padding and where nobody is."""
    there = present_rows(cells.there, stride, cells.frames)
    shown = to_frames(map[: rows(cells.frames, stride)] * there[:, None], stride, cells.frames)
    return np.pad(shown, ((0, len(cells.there) - cells.frames), (0, 0), (0, 0))) * cells.present


def on_clip(map: np.ndarray, cells: Cells, source: np.ndarray, clip: Clip) -> np.ndarray:
    """A map (T, V, M) on the model's frames, on those of the cleaned clip and its bodies, (F, V, M')."""
    return to_clip(map[: cells.frames], source, clip.frames)[..., : clip.bodies]
