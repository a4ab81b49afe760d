"""The whole analysis of a network that is given from Python, in one call: what `stgcn-lens analyse` cannot do."""

from collections.abc import Callable
from pathlib import Path

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.report import ReportConfig, build
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.saliency import ExplainConfig, explain
from stgcn_lens.training.adopt import adopt_network

Progress = Callable[[str, int, int], None]


def analyse(
    path: Path | str,
    network: Loaded,
    clips: ClipSet,
    *,
    embedding: EmbedConfig | None = None,
    geometry: GeometryConfig | None = None,
    saliency: ExplainConfig | None = None,
    report: ReportConfig | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Classify the clips, embed, graph, explain and report; a stage whose input has not changed is not done again.

    `progress` is called with the stage, what is done of it, and all of it. For errors see `adopt_network` and the
    stages; settings that are not given are the stages' own.
    """

    def told(stage: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(stage, done, total)

    run = adopt_network(path, network, clips, device=device, force=force, progress=told("classify"))
    where = {"network": network, "device": device}
    with run.lock():
        embed(run, embedding or EmbedConfig(), **where, force=force, progress=told("embed"))  # type: ignore[arg-type]
        graph(run, geometry or GeometryConfig(), force=force, progress=told("graph"))
        explain(run, saliency or ExplainConfig(), **where, force=force, progress=told("explain"))  # type: ignore[arg-type]
        build(run, report or ReportConfig(), force=force, progress=told("report"))
    return run
