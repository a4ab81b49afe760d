"""Which joints and frames the network's answer rests on, by any method, for any class, of any clips.

As it stands: Grad-CAM of the predicted class, at every block, of all clips under analysis, into saliency/, for report
and app. Anything else goes into a folder of its own in explanations/, so that several stand side by side.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.commands.stages import explain_stage
from stgcn_lens.runs import Run
from stgcn_lens.studies.explanations import MethodConfig, explain_with
from stgcn_lens.studies.saliency import ExplainConfig
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens explain runs/mine --method occlusion_joints --target true --clips 20"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and how."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Do it again although nothing changed."""
    wanted: MethodConfig = field(default_factory=MethodConfig)
    config: ExplainConfig = field(default_factory=ExplainConfig)


def run(args: Args) -> Result:
    """Run the stage, or make the explanation, unless it is up to date."""
    target, device = Run.open(args.run), choose(args.device)
    with target.lock():
        if args.wanted.usual:
            text, data = explain_stage(target, args.config, device, args.force)
            return Result(f"{args.run}: {text}", {"run": str(args.run), **data})
        with bar("explain", "clip") as progress:
            made = explain_with(target, args.wanted, args.config, device=device, force=args.force, progress=progress)
    layers = [row["layer"] for row in made.about["layers"]]
    text = f"{made.about['method']} of {made.about['clips']} clips at {len(layers)} layers"
    if layers == ["input"]:
        text = f"{made.about['method']} of {made.about['clips']} clips"
    text += f", class {made.about['target']}: {made.folder}{' (unchanged, skipped)' * made.skipped}"
    about = {name: made.about[name] for name in ("method", "target", "signed", "clips")}
    data = {"run": str(args.run), "folder": str(made.folder), **about, "layers": layers, "skipped": made.skipped}
    return Result(f"{args.run}: {text}", data)
