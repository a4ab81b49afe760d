"""Four stages, each skipped where its configuration and its input have not changed.

Several processes share the first two: `torchrun --standalone --nproc-per-node 2 -m stgcn_lens analyse runs/mine`
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import embed_stage, explain_stage, graph_stage, report_stage, shared
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.report import ReportConfig
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens analyse runs/mine --geometry.graph.k 15"
FLAGS = ()


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how each stage is configured."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; under torchrun every process has a GPU of its own."""
    force: bool = False
    """Do everything again although nothing changed."""
    export: Path | None = None
    """A folder for every layer's graphs as other programs read them: scipy's npz and GraphML."""
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


def run(args: Args) -> Result:
    """Run the stages in order."""
    device = choose(args.device)
    parts: dict[str, tuple[str, dict]] = {}
    with shared(args.run, device) as (target, group):
        parts["embed"] = embed_stage(target, args.embed, device, args.force, group)
        parts["graph"] = graph_stage(target, args.geometry, device, args.force, group, args.export)
        if group.first:
            parts["explain"] = explain_stage(target, args.explain, device, args.force)
            parts["report"] = report_stage(target, args.report, args.force)
    text = "; ".join(sentence for sentence, _ in parts.values())
    return Result(f"{args.run}: {text}", {"run": str(args.run), **{name: data for name, (_, data) in parts.items()}})
