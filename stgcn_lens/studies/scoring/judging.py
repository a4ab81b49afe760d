"""How each metric of `METRICS` is worked out: from a subject's maps to one number a clip.

Every function takes (bench, subject, maps, draw), maps (K, N, T, V, M) of the subject's K layers, and gives measure ->
(K, N), or (K, N, points) for a curve; NaN where a clip has no such number.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from stgcn_lens.explain import fidelity
from stgcn_lens.explain.contrast import pearson, rms
from stgcn_lens.explain.localisation import average_precision, pointing
from stgcn_lens.explain.randomisation import cascade, independent, rank_correlation
from stgcn_lens.explain.sparsity import gini
from stgcn_lens.explain.stability import change, relative, sensitivity
from stgcn_lens.models.protocol import Lens
from stgcn_lens.studies.scoring.bench import INPUT, Bench, Job, Subject, on_clip

Scores = dict[str, np.ndarray]
Way = Callable[[Lens, Mapping[str, list[str]], int], Iterator[tuple[str, Lens]]]


def localise(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Maps against planted evidence, on the frames of the cleaned clips."""

    def one(i: int, here: np.ndarray) -> Scores:
        clip = bench.clips[i]
        if clip.evidence is None or not (clip.evidence & clip.valid[:, None]).any():
            return {name: np.full(len(here), np.nan) for name in ("average_precision", "pointing")}
        if subject.of_clip is not None:
            shown = [subject.of_clip(clip, [bench.config.seed, 2, i, draw])]
        else:
            shown = [on_clip(map, bench.cells[i], bench.sources[i], clip) for map in here]
        pairs = [
            (average_precision(s, clip.evidence, clip.valid), pointing(s, clip.evidence, clip.valid)) for s in shown
        ]
        precision, hit = np.array(pairs).T
        return {"average_precision": precision, "pointing": hit}

    return _clip_by_clip(maps, one)


def remove(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Deletion and insertion curves and the areas under them."""
    config = bench.config

    def one(i: int, here: np.ndarray) -> Scores:
        target, seed = int(bench.target[i]), [config.seed, 4, i]
        curves = fidelity.removal(
            bench.cells[i], here, target, bench.ask, steps=config.steps, seed=seed, fill=config.fill
        )
        return {
            "deletion": fidelity.area(curves.deletion),
            "insertion": fidelity.area(curves.insertion),
            "deletion_logit": fidelity.area(curves.deletion_logit),
            "insertion_logit": fidelity.area(curves.insertion_logit),
            "deletion_curve": curves.deletion,
            "insertion_curve": curves.insertion,
        }

    return _clip_by_clip(maps, one)


def disturb(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Prediction gaps on important and on all other cells."""
    config = bench.config

    def one(i: int, here: np.ndarray) -> Scores:
        important, others = fidelity.gaps(
            bench.cells[i],
            here,
            int(bench.target[i]),
            bench.ask,
            share=config.share,
            strength=config.noise,
            draws=config.draws,
            seed=[config.seed, 4, i],
        )
        return {"pgi": important, "pgu": others}

    return _clip_by_clip(maps, one)


def faithful(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Captum's infidelity over random removals, the same for every map of a clip."""

    def one(i: int, here: np.ndarray) -> Scores:
        masks, drops = bench.removed(i)
        error, unexplained = fidelity.infidelity(here, masks, drops)
        return {"infidelity": error, "unexplained": unexplained}

    return _clip_by_clip(maps, one)


def stay(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Relative stability and sensitivity over disturbed inputs that keep the predicted class.

    A control, which has one map for all layers, gets a number for each layer's representation; a method that explains
    the input is held against the last layer's.
    """
    names = [name for name in bench.model.layers if name != INPUT]
    represented = [INPUT, *names] if subject.control else list(subject.layers)
    config = bench.config

    def one(i: int, here: np.ndarray) -> Scores:
        near, present = bench.disturbed(i), bench.cells[i].present
        count = len(near.x)
        job = Job(near.x, np.repeat(bench.target[i], count), np.repeat(i, count), (draw, 1))
        after = bench.explain(subject, job)  # (K, P, T, V, M)
        wide = np.repeat(np.arange(len(here)), len(represented)) if subject.control else np.arange(len(here))
        found = np.full((4, len(represented)), np.nan)
        for row, (k, layer) in enumerate(zip(wide, represented, strict=True)):
            before, others = here[k][present], after[k][:, present]
            moved = change(before, others, config.form)
            features = near.features[names[-1] if layer == INPUT else layer]
            found[:3, row] = [relative(moved, cause, near.same) for cause in (near.inputs, near.logits, features)]
            found[3, row] = sensitivity(before, others)
        return dict(zip(("ris", "ros", "rrs", "sensitivity"), found, strict=True))

    return _clip_by_clip(maps, one)


def forget(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Rank correlation of the trained network's maps with those of networks that were drawn anew.

    Step by step for the first of these networks, and for all of them with everything drawn anew, of which it is the
    mean.
    """
    config, parts = bench.config, bench.steps()
    job = bench.whole(maps.shape[1])

    def steps(way: Way, n: int, *, last: bool = False) -> np.ndarray:
        seed = config.seed * 1000 + n
        # A control has no network.
        others = ((part, None) for part in parts) if subject.control else way(bench.model, parts, seed)
        found = []
        for step, (_, other) in enumerate(others):
            if last and step < len(parts) - 1:
                continue
            again = bench.explain(subject, replace(job, key=(draw, 2, n, step, way is independent)), other)
            found.append(_correlations(bench, maps, again))
        return np.stack(found, axis=-1)

    first = steps(cascade, 0)
    whole = [first[..., -1:], *(steps(cascade, n, last=True) for n in range(1, config.networks))]
    scores = {"randomised": np.mean(whole, axis=0)[..., 0], "cascade": first}
    if config.independent:
        scores["alone"] = steps(independent, 0)
    return scores


def _correlations(bench: Bench, maps: np.ndarray, again: np.ndarray) -> np.ndarray:
    """Rank correlation of each layer's map of each clip with another one, (K, N)."""
    return np.array(
        [
            [rank_correlation(a[bench.cells[i].present], b[bench.cells[i].present]) for i, (a, b) in enumerate(pairs)]
            for pairs in (zip(one, two, strict=True) for one, two in zip(maps, again, strict=True))
        ]
    )


def tell_apart(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Maps of the predicted class and of the class next to it, in the same clip."""
    job = bench.whole(maps.shape[1])
    others = bench.explain(subject, replace(job, target=bench.second[job.clips], key=(draw, 3)))

    def one(i: int, here: np.ndarray) -> Scores:
        present = bench.cells[i].present
        pairs = [(map[present], other[present]) for map, other in zip(here, others[:, i], strict=True)]
        return {"r": np.array([pearson(*pair) for pair in pairs]), "rms": np.array([rms(*pair) for pair in pairs])}

    return _clip_by_clip(maps, one)


def tabulate(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Each clip's row for a class-by-joint table: mean over its cells of a map with peak 1."""

    def one(i: int, here: np.ndarray) -> Scores:
        there = bench.cells[i].there
        cells = np.abs(here).transpose(0, 1, 3, 2)[:, there]  # (K, bodies in frames, V)
        peak = cells.max(axis=(1, 2), keepdims=True)
        return {"profile": (cells / np.where(peak > 0, peak, 1)).mean(axis=1)}

    return _clip_by_clip(maps, one)


def concentrate(bench: Bench, subject: Subject, maps: np.ndarray, draw: int) -> Scores:
    """Gini index of the map."""
    return _clip_by_clip(maps, lambda i, here: {"gini": np.array([gini(m[bench.cells[i].present]) for m in here])})


def _clip_by_clip(maps: np.ndarray, one: Callable[[int, np.ndarray], Scores]) -> Scores:
    """`one(i, maps (K, T, V, M) of clip i)` of all clips, stacked along axis 1."""
    found = [one(i, maps[:, i]) for i in range(maps.shape[1])]
    return {name: np.stack([scores[name] for scores in found], axis=1) for name in found[0]}
