"""The metrics that maps are judged by, a row each: what they measure, which way is good, and where they are from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stgcn_lens.studies.scoring import judging
from stgcn_lens.studies.scoring.bench import Bench, Subject


@dataclass(frozen=True)
class Measure:
    """One number of a metric, or a curve over `points`, shares of the cells or steps of the randomisation.

    `better`: which way is good, None where neither is. `short`: the head of its column, if it has one.
    """

    name: str
    better: Literal["higher", "lower"] | None
    what: str
    short: str = ""
    points: Literal["share", "step"] | None = None


@dataclass(frozen=True)
class Metric:
    """A row of `METRICS`.

    Attributes
    ----------
    settings : fields of `ScoreConfig` that its numbers depend on, beside those of the sample.
    remade : it explains every clip again and again, and is taken over the first clips of the sample only.
    evidence : it needs clips that carry planted evidence.
    each_layer : it has a number for every layer even where the map is one and the same (a control's).
    """

    name: str
    what: str
    source: str
    measures: tuple[Measure, ...]
    function: Callable[[Bench, Subject, np.ndarray, int], judging.Scores]
    settings: tuple[str, ...] = ()
    remade: bool = False
    evidence: bool = False
    each_layer: bool = False


METRICS: dict[str, Metric] = {
    row.name: row
    for row in (
        Metric(
            name="localisation",
            what="planted evidence among the cells of highest value",
            source="Saito, Rehmsmeier, PLoS ONE 2015 (precision-recall); Zhang et al., arXiv 1608.00507 (pointing)",
            measures=(
                Measure("average_precision", "higher", "area under precision-recall over cells, 0 to 1", "AP"),
                Measure("pointing", "higher", "share of clips whose highest cell is evidence", "point"),
            ),
            function=judging.localise,
            evidence=True,
        ),
        Metric(
            name="removal",
            what="the class as cells are deleted and inserted in the map's order",
            source="Petsiuk et al., arXiv 1806.07421",
            measures=(
                Measure("deletion", "lower", "area under the deletion curve of the probability, 0 to 1", "del"),
                Measure("insertion", "higher", "area under the insertion curve of the probability, 0 to 1", "ins"),
                Measure("deletion_logit", "lower", "area under the deletion curve of the logit"),
                Measure("insertion_logit", "higher", "area under the insertion curve of the logit"),
                Measure("deletion_curve", None, "probability at each share of deleted cells", points="share"),
                Measure("insertion_curve", None, "probability at each share of inserted cells", points="share"),
            ),
            function=judging.remove,
            settings=("steps", "fill"),
        ),
        Metric(
            name="gap",
            what="the probability under noise on the important, and on all other cells",
            source="Agarwal et al., OpenXAI, arXiv 2206.11104",
            measures=(
                Measure("pgi", "higher", "prediction gap on important cells, 0 to 1", "PGI"),
                Measure("pgu", "lower", "prediction gap on unimportant cells, 0 to 1", "PGU"),
            ),
            function=judging.disturb,
            settings=("share", "noise", "draws"),
        ),
        Metric(
            name="infidelity",
            what="drops of the logit under random removals, against the sum of the removed cells",
            source="Yeh et al., arXiv 1901.09392; captum's infidelity, normalised",
            measures=(
                Measure("infidelity", "lower", "mean squared error of the drops, logits squared"),
                Measure("unexplained", "lower", "the same as a share of the mean squared drop, 0 to 1", "infid"),
            ),
            function=judging.faithful,
            settings=("removals", "fill"),
        ),
        Metric(
            name="stability",
            what="change of the map against that of input, logits and features, for inputs next to the clip",
            source="Agarwal et al., arXiv 2203.06877; Yeh et al., arXiv 1901.09392, captum's sensitivity_max",
            measures=(
                Measure("ris", "lower", "log10 of relative input stability", "RIS"),
                Measure("ros", "lower", "log10 of relative output stability", "ROS"),
                Measure("rrs", "lower", "log10 of relative representation stability", "RRS"),
                Measure("sensitivity", "lower", "largest relative change of the map", "sens"),
            ),
            function=judging.stay,
            settings=("remade", "disturbed", "disturbance", "form"),
            remade=True,
            each_layer=True,
        ),
        Metric(
            name="randomisation",
            what="rank correlation with the maps of networks drawn anew, from the head downward",
            source="Adebayo et al., arXiv 1810.03292",
            measures=(
                Measure("randomised", "lower", "rank correlation once every layer is drawn anew, -1 to 1", "rand"),
                Measure("cascade", None, "rank correlation after each step downward", points="step"),
                Measure("alone", None, "rank correlation with each layer alone drawn anew", points="step"),
            ),
            function=judging.forget,
            settings=("remade", "networks", "independent"),
            remade=True,
        ),
        Metric(
            name="contrast",
            what="maps of the predicted class and of the class next to it, in the same clip",
            source="Das, Shekkizhar, Ortega, arXiv 2312.07777 (contrastivity)",
            measures=(
                Measure("r", "lower", "Pearson correlation of the two maps, -1 to 1", "r"),
                Measure("rms", "higher", "root mean square difference of the two, each with peak 1"),
            ),
            function=judging.tell_apart,
            settings=("remade",),
            remade=True,
        ),
        Metric(
            name="tables",
            what="rows of the class-by-joint table, pair by pair",
            source="Das, Ortega, STG-GradCAM, ICASSP 2022",
            measures=(
                Measure("table_r", "lower", "Pearson correlation of two classes' rows, mean over pairs", "tab r"),
                Measure("table_rms", "higher", "root mean square difference of two classes' rows, mean over pairs"),
            ),
            function=judging.tabulate,
        ),
        Metric(
            name="sparsity",
            what="how few cells hold the weight",
            source="Hurley, Rickard, arXiv 0811.4706",
            measures=(Measure("gini", None, "Gini index, 0 all alike, 1 all on one cell", "Gini"),),
            function=judging.concentrate,
        ),
    )
}
