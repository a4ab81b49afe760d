"""Four stages, each skipped where its configuration and its input have not changed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.stages import embed_stage, explain_stage, graph_stage, report_stage
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.report import ReportConfig
from stgcn_lens.runs import Run
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
    """Where to compute."""
    force: bool = False
    """Do everything again although nothing changed."""
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


def run(args: Args) -> Result:
    """Run the stages in order."""
    target, device = Run.open(args.run), choose(args.device)
    with target.lock():
        parts = {
            "embed": embed_stage(target, args.embed, device, args.force),
            "graph": graph_stage(target, args.geometry, args.force),
            "explain": explain_stage(target, args.explain, device, args.force),
            "report": report_stage(target, args.report, args.force),
        }
    text = "; ".join(sentence for sentence, _ in parts.values())
    return Result(f"{args.run}: {text}", {"run": str(args.run), **{name: data for name, (_, data) in parts.items()}})
