import json

import numpy as np
import pytest

from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.agreement import AgreementConfig, agreement
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.neighbours import NeighboursConfig, neighbours
from tests import tiny
from tests.reference.vote import vote

LAYERS = ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]
QUICK = AgreementConfig(resamples=200, permutations=30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = tiny.run(tmp_path_factory.mktemp("agreement"), tiny.clips(26), tiny.model())
    embed(run, EmbedConfig())
    graph(run, GeometryConfig(graph=GraphConfig(k=4), resamples=10, permutations=5))
    return run


def by_hand(run: Run, layer: str, voted: list[int]) -> list[int]:
    stored = np.load(run / f"graphs/{layer}.npz")
    return [
        vote(weights.tolist(), [voted[j] for j in near])[1]
        for near, weights in zip(stored["indices"], stored["nnk_weights"], strict=True)
    ]


def test_agreement_is_the_votes_counted_clip_by_clip(made) -> None:
    about = agreement(made, QUICK)
    rows = tiny.table(made)[2:]
    labels, predicted = ([int(row[key]) for row in rows] for key in ("label", "predicted"))
    mistaken = [i for i in range(24) if labels[i] != predicted[i]]
    assert 0 < len(mistaken) == about["mistaken"] < 24
    assert about["clips"] == 24
    assert about["embedded"] == {"test": 24}
    assert about["accuracy"] == pytest.approx(1 - len(mistaken) / 24)
    assert [row["layer"] for row in about["layers"]] == LAYERS
    for row in about["layers"]:
        of_labels, of_predictions = by_hand(made, row["layer"], labels), by_hand(made, row["layer"], predicted)
        same = lambda a, b: np.mean([x == y for x, y in zip(a, b, strict=True)])  # noqa: E731
        assert row["agreement"]["value"] == pytest.approx(same(of_labels, predicted))
        assert row["agreement_of_predictions"]["value"] == pytest.approx(same(of_predictions, predicted))
        assert row["right"]["value"] == pytest.approx(same(of_labels, labels))
        assert row["mistaken"]["value"] == pytest.approx(np.mean([of_predictions[i] == predicted[i] for i in mistaken]))
        for name in ("agreement", "agreement_of_predictions", "right"):
            value = row[name]
            assert 0 <= value["ci_low"] <= value["value"] <= value["ci_high"] <= 1
            assert 0 < value["chance"] < 1


def test_what_has_settled_agrees_to_the_end_and_only_grows(made) -> None:
    about = agreement(made, QUICK)
    predicted = [int(row["predicted"]) for row in tiny.table(made)[2:]]
    labels = [int(row["label"]) for row in tiny.table(made)[2:]]
    agrees = {layer: np.equal(by_hand(made, layer, labels), predicted) for layer in LAYERS[:-1]}
    settled = [row["settled"]["value"] for row in about["layers"][:-1]]
    for n, layer in enumerate(LAYERS[:-1]):
        assert settled[n] == pytest.approx(np.mean(np.all([agrees[later] for later in LAYERS[n:-1]], axis=0)))
        behind = agrees["block_6"].mean() - agrees[layer].mean()
        assert about["layers"][n]["behind"]["value"] == pytest.approx(behind)
    assert settled == sorted(settled)
    assert settled[-1] == pytest.approx(about["layers"][6]["agreement"]["value"])
    assert about["layers"][-1]["settled"] is None
    first = next(row["layer"] for row in about["layers"] if row["behind"]["ci_low"] <= 0)
    assert about["already_there"] == first


def test_the_file_is_what_is_returned_and_the_same_every_time(made) -> None:
    about = agreement(made, QUICK)
    assert about["file"] == "neighbours/agreement.json"
    assert json.loads((made / about["file"]).read_text()) == about
    assert agreement(made, QUICK) == about


def test_among_other_subjects_every_clip_has_its_own_list(made) -> None:
    about = agreement(made, AgreementConfig(among="other-subjects", resamples=50, permutations=5))
    assert about["file"] == "neighbours/agreement--other-subjects.json"
    for row in about["layers"]:
        assert row["same_subject"]["value"] == 0
    agrees = [
        neighbours(made, NeighboursConfig(str(i), "block_4", among="other-subjects"))["vote"]["agrees"]
        for i in range(2, 26)
    ]
    row = next(row for row in about["layers"] if row["layer"] == "block_4")
    assert row["agreement"]["value"] == pytest.approx(np.mean(agrees))
    assert about["layers"][4]["agreement"] != agreement(made, QUICK)["layers"][4]["agreement"]


def test_a_split_with_fewer_clips_than_neighbours_gives_shorter_lists(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(12), tiny.model(width=1))
    embed(run, EmbedConfig(split="all"))
    graph(run, GeometryConfig(graph=GraphConfig(k=5), resamples=10, permutations=5))
    about = agreement(run, AgreementConfig(among="train", resamples=20, permutations=5))
    agrees = [neighbours(run, NeighboursConfig(str(i), "block_2", among="train"))["vote"]["agrees"] for i in range(12)]
    assert about["layers"][2]["agreement"]["value"] == pytest.approx(np.mean(agrees))


def test_layers_are_counted_while_they_are_done(made) -> None:
    seen: list[tuple[int, int]] = []
    agreement(made, QUICK, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 8) for i in range(1, 9)]


def test_a_split_that_is_not_embedded_is_refused_before_anything_is_written(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(9), tiny.model(width=1))
    embed(run, EmbedConfig())
    graph(run, GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5))
    with pytest.raises(LensError, match="no clip of split 'train' is embedded"):
        agreement(run, AgreementConfig(among="train"))
    assert not (run / "neighbours").exists()


def test_a_run_without_graphs_says_what_to_run(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(9), tiny.model(width=1))
    with pytest.raises(RunError, match=r"stage 'graph' has not been run; run: stgcn-lens graph .*run"):
        agreement(run, QUICK)
