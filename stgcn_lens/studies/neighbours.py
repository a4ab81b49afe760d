"""Neighbours as explanation: which clips stand round one at a layer, and what of the prediction they explain.

Source: Shekkizhar, Ortega, "DeepNNK", arXiv 2007.10505 (a network's prediction seen through the NNK neighbours of a
clip at a layer). Into ``neighbours/`` of a run goes ``<clip>--<layer>.json``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stgcn_lens.data.transforms import EARLIER, Preprocessing
from stgcn_lens.distances import WindowDTW, window_dtw
from stgcn_lens.errors import LensError
from stgcn_lens.graphs.smoothness import row_normalised
from stgcn_lens.graphs.vote import Surroundings, shares, winners
from stgcn_lens.models.checkpoints import from_plain
from stgcn_lens.runs import Run, plain
from stgcn_lens.studies.analysed import Analysed, Layer
from stgcn_lens.studies.candidates import Among, Candidates, choose
from stgcn_lens.studies.naming import file_name
from stgcn_lens.studies.places import Places

FOLDER = "neighbours"


@dataclass(frozen=True)
class NeighboursConfig:
    """Which clip's neighbours, and where."""

    clip: str
    """The clip, by its name or its number in clips.csv."""
    layer: str | None = None
    """The layer; by default the last block."""
    k: int = 10
    """Neighbours that are told one by one, heaviest first; the vote is always that of all."""
    among: Among = "graph"
    """graph: those of the run's graph, of all embedded clips; or, anew, among those of one split or of other people."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise LensError("no neighbours to tell", got=f"k = {self.k}", expected="at least 1")


def neighbours(run: Run, config: NeighboursConfig) -> dict[str, Any]:
    """What stands round one clip at one layer: written as ``neighbours/<clip>--<layer>.json``, and returned.

    Raises
    ------
    RunError : the run has no graphs, or they are damaged or of other clips.
    LensError : no such clip or layer; no embedded clip is of the split asked for.
    """
    analysed = Analysed.of(run)
    about = look(analysed, config)
    which = "" if config.among == "graph" else f"--{config.among}"
    about["file"] = f"{FOLDER}/{file_name(about['clip']['name'])}--{about['layer']}{which}.json"
    run.write_json(about["file"], about)
    return about


def look(analysed: Analysed, config: NeighboursConfig) -> dict[str, Any]:
    """The same of an analysed run, and nothing is written."""
    i = analysed.position(config.clip)
    layer = analysed.layer(config.layer or analysed.last_block)
    scene = _Scene(analysed, i, layer, choose(analysed, layer, i, config.among), _places(analysed))
    around = scene.around
    listed = around.counting[: config.k]
    about: dict[str, Any] = {
        "clip": scene.clip(i),
        "layer": layer.name,
        "stride": layer.stride,
        "made_from": {"graph": analysed.run.key("graph")},
        "distance": {"name": type(layer.distance).__name__, **plain(layer.distance)},
        "kernel": layer.kernel.name,
        "candidates": {
            "among": config.among,
            "clips": around.considered,
            "embedded": analysed.splits,
            "k": len(around.positions),
            "with_weight": int((around.weights > 0).sum()),
            "same_subject_share": around.same_subject(analysed.subjects, i),
        },
        "vote": _vote(analysed, i, around, analysed.labels),
        "vote_of_predictions": _vote(analysed, i, around, analysed.predicted),
        "neighbours": scene.neighbours(listed),
        "not_listed": len(around.counting) - len(listed),
        "layers": _through_depth(analysed, i, config.among),
    }
    result: dict[str, Any] = plain(about)
    return result


@dataclass(frozen=True, eq=False)
class _Scene:
    """The clip at position i, what stands round it at a layer, and where windows lie in time."""

    analysed: Analysed
    i: int
    layer: Layer
    around: Candidates
    places: Places

    def clip(self, j: int) -> dict[str, Any]:
        """What there is to say of the clip at position j."""
        row = self.analysed.rows[j]
        windows = int(self.layer.offsets[j + 1] - self.layer.offsets[j])
        return {
            "number": int(self.analysed.numbers[j]),
            "name": row["name"],
            "class_name": self.analysed.classes[self.analysed.labels[j]],
            "predicted": self.analysed.classes[self.analysed.predicted[j]],
            "confidence": float(row["confidence"]),
            "split": row["split"],
            "subject": row["subject"] or None,
            "windows": self.places.windows(int(self.analysed.numbers[j]), self.layer.stride, windows),
        }

    def neighbours(self, listed: np.ndarray) -> list[dict[str, Any]]:
        """Some of the candidates, by their places in the list, with weights, alignments and effects."""
        around, layer = self.around, self.layer
        between = layer.between(around.positions)
        found = Surroundings(layer.kernel, self.i, around.positions, around.distances, between)
        return [
            {
                **self.clip(int(around.positions[place])),
                "distance": float(around.distances[place]),
                "weight": float(around.weights[place]),
                "share": float(around.shares[place]),
                "without": self._without(int(place), found),
                **self._alignment(int(around.positions[place])),
            }
            for place in listed
        ]

    def _without(self, place: int, found: Surroundings) -> dict[str, Any] | None:
        """The vote of labels had that candidate not been there: all weights anew, so that others may take its place.

        Only the remaining candidates may, none comes in from beyond the k. None where nobody remains.
        """
        analysed, around = self.analysed, self.around
        if len(around.positions) < 2:
            return None
        left = np.delete(around.positions, place)
        before, winner = _divide(analysed, around.positions, around.weights, analysed.labels)
        after, then = _divide(analysed, left, np.delete(found.weights(without=place), place), analysed.labels)
        predicted = analysed.predicted[self.i]
        return {
            "predicted_share": after[predicted],
            "effect": before[predicted] - after[predicted],
            "winner": analysed.classes[then],
            "turns_the_vote": then != winner,
        }

    def _alignment(self, j: int) -> dict[str, Any]:
        """`path`: which window of the clip is laid on which of the clip at j; `costs`: what each pair adds to d^2.

        Both None where the distance does not warp.
        """
        config = self.layer.distance
        if not isinstance(config, WindowDTW):
            return {"path": None, "costs": None}
        x, y = (self.layer.clip(p).astype(np.float64) for p in (self.i, j))
        path, _ = window_dtw.path(x, y, config)
        scale = len(x) + len(y) if config.normalise else 1
        return {"path": path, "costs": [float(((x[a] - y[b]) ** 2).sum() / scale) for a, b in path]}


def _places(analysed: Analysed) -> Places:
    run = analysed.run
    # Without the network itself: that of some runs is in no file.
    told = {**EARLIER, **run.read_json("model.json")["preprocessing"]}
    prep = from_plain(Preprocessing, told, run / "model.json")
    return Places(analysed.clips, prep, run.manifest()["stages"]["embed"]["config"])


def _vote(analysed: Analysed, i: int, around: Candidates, voted: np.ndarray) -> dict[str, Any]:
    """How the weight round clip i is divided among what its candidates vote for, the largest share first."""
    share, winner = _divide(analysed, around.positions, around.weights, voted)
    order = [c for c in np.argsort(-share, kind="stable") if share[c] > 0]
    return {
        "winner": analysed.classes[winner],
        "agrees": winner == analysed.predicted[i],
        "predicted_share": share[analysed.predicted[i]],
        "true_share": share[analysed.labels[i]],
        "shares": [{"class_name": analysed.classes[c], "share": share[c]} for c in order],
    }


def _divide(analysed: Analysed, who: np.ndarray, weights: np.ndarray, voted: np.ndarray) -> tuple[np.ndarray, int]:
    """One clip's vote: shares (classes,) and the class that wins."""
    rows = row_normalised(weights[None])
    return shares(who[None], rows, voted, len(analysed.classes))[0], int(winners(who[None], rows, voted)[0])


def _through_depth(analysed: Analysed, i: int, among: Among) -> list[dict[str, Any]]:
    """The vote of labels round the clip at every layer."""
    told = []
    for name, _ in analysed.layers:
        vote = _vote(analysed, i, choose(analysed, analysed.layer(name), i, among), analysed.labels)
        told.append({"layer": name, **{key: value for key, value in vote.items() if key != "shares"}})
    return told
