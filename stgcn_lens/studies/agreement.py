"""At which layer the network's prediction is already there: how often the vote of a clip's neighbours is the same.

Written as ``neighbours/agreement.json`` of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens import intervals
from stgcn_lens.graphs.smoothness import row_normalised
from stgcn_lens.graphs.vote import winners
from stgcn_lens.runs import Run, plain
from stgcn_lens.studies.analysed import Analysed, Layer
from stgcn_lens.studies.candidates import Among, choose
from stgcn_lens.studies.neighbours import FOLDER


@dataclass(frozen=True)
class AgreementConfig:
    """Whose vote it is, and how the numbers get their intervals."""

    among: Among = "graph"
    """graph: the neighbours of the run's graph; or, anew, among those of a split or of other people: that takes the
    distances of all clips to all, so minutes for thousands of clips."""
    resamples: int = 1000
    """Bootstrap resamples of the clips (ours)."""
    permutations: int = 200
    """Permutations of what neighbours vote for, for the chance level (ours)."""
    seed: int = 0
    """Of resamples and permutations."""


def agreement(
    run: Run, config: AgreementConfig, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Agreement of the NNK vote with the prediction at every layer, over all clips under analysis.

    Written as ``neighbours/agreement.json``, and returned. Per layer, each with its interval, the first three with the
    level that is reached when what the neighbours vote for is permuted:

    - agreement : share of clips whose neighbours' labels vote for the class that the network gives the clip.
    - agreement_of_predictions : the same where neighbours vote for what the network takes them for.
    - right : share of clips whose neighbours' labels vote for the clip's own class.
    - mistaken : agreement_of_predictions among the clips that the network mistakes; None if it mistakes none.
    - same_subject : share of the weight that lies on clips of the same person, whose repetitions are alike at every
      layer, the input too; None where subjects are not known.
    - settled : share of clips whose vote of labels agrees here and at all layers from here to the last block.
    - behind : how many more of the clips agree at the last block, paired clip by clip.

    `already_there` is the first layer at which the interval of `behind` reaches 0: no later one was shown to be needed
    for the vote.

    Raises
    ------
    RunError : the run has no graphs, or they are damaged or of other clips.
    """
    analysed = Analysed.of(run)
    labels, predicted = analysed.labels, analysed.predicted
    subjects = analysed.subjects
    agrees: dict[str, np.ndarray] = {}
    table: list[dict[str, Any]] = []
    for number, (name, stride) in enumerate(analysed.layers, start=1):
        layer = analysed.layer(name)
        votes = _Votes(*_candidates(analysed, layer, config.among), config)
        agrees[name] = votes.hits(labels, predicted)
        told = votes.hits(predicted, predicted)
        mistaken = predicted != labels
        same = (votes.rows * (subjects[votes.indices] == subjects[:, None])).sum(axis=1)
        table.append(
            {
                "layer": name,
                "stride": stride,
                "agreement": votes.value(labels, predicted),
                "agreement_of_predictions": votes.value(predicted, predicted),
                "right": votes.value(labels, labels),
                "mistaken": _mean(told[mistaken], config) if mistaken.any() else None,
                "same_subject": _mean(same, config) if (subjects != "").all() else None,
            }
        )
        if progress is not None:
            progress(number, len(analysed.layers))
    blocks = [name for name, stride in analysed.layers if stride is not None]
    for row in table:
        row["settled"] = row["behind"] = None
        if row["layer"] in blocks:
            onward = blocks[blocks.index(row["layer"]) :]
            row["settled"] = _mean(np.all([agrees[name] for name in onward], axis=0), config)
            row["behind"] = _mean(agrees[blocks[-1]].astype(float) - agrees[row["layer"]], config)
    about: dict[str, Any] = {
        "made_from": {"graph": run.key("graph")},
        "config": config,
        "clips": len(analysed),
        "embedded": analysed.splits,
        "accuracy": float((predicted == labels).mean()),
        "mistaken": int((predicted != labels).sum()),
        "last_block": blocks[-1],
        "already_there": next(row["layer"] for row in table if row["behind"] and row["behind"].ci_low <= 0),
        "layers": table,
        "file": f"{FOLDER}/agreement{'' if config.among == 'graph' else f'--{config.among}'}.json",
    }
    run.write_json(about["file"], about)
    result: dict[str, Any] = plain(about)
    return result


def _candidates(analysed: Analysed, layer: Layer, among: Among) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of all clips (N, k) and their shares."""
    if among == "graph":
        return layer.neighbours.indices, row_normalised(layer.weights)
    each = [choose(analysed, layer, i, among) for i in range(len(analysed))]
    k = max(len(one.positions) for one in each)
    # A list that is shorter is filled with its first candidate, who gets no more weight by that.
    indices = [np.pad(one.positions, (0, k - len(one.positions)), constant_values=one.positions[0]) for one in each]
    return np.stack(indices), np.stack([np.pad(one.shares, (0, k - len(one.positions))) for one in each])


@dataclass(frozen=True, eq=False)
class _Votes:
    """The candidates of all clips at one layer, (N, k), and their shares."""

    indices: np.ndarray
    rows: np.ndarray
    config: AgreementConfig

    def hits(self, voted: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Whether each clip's neighbours, voting for `voted`, vote for what is wanted of the clip; (N,) bool."""
        return np.asarray(winners(self.indices, self.rows, voted) == wanted)

    def value(self, voted: np.ndarray, wanted: np.ndarray) -> intervals.Value:
        """Share of hits with interval and chance level."""
        hits = self.hits(voted, wanted).astype(np.float64)
        drawn = _drawn(hits, self.config)
        blocks = intervals.permutations(voted, self.config.permutations, self.config.seed)
        chance = np.array([self.hits(permuted, wanted).mean() for block in blocks for permuted in block])
        return intervals.of_statistics(float(hits.mean()), drawn, chance)


def _mean(per_clip: np.ndarray, config: AgreementConfig) -> intervals.Value:
    return intervals.of_mean(per_clip.astype(np.float64), seed=config.seed, resamples=config.resamples)


def _drawn(per_clip: np.ndarray, config: AgreementConfig) -> np.ndarray:
    """Means over resampled clips."""
    counts = intervals.counts(len(per_clip), config.resamples, config.seed)
    return np.concatenate([block @ per_clip / len(per_clip) for block in counts])
