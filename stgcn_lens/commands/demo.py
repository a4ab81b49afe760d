"""Without data, weights, GPU or network: analyses the bundled checkpoint on synthetic people it has never seen.

With --train the network is trained first, on the synthetic training subjects; this is how the checkpoint was made.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.analyse import Args as AnalyseArgs
from stgcn_lens.commands.analyse import run as analyse
from stgcn_lens.commands.app import serve, until_closed
from stgcn_lens.commands.clips import own_clips
from stgcn_lens.commands.progress import bar
from stgcn_lens.commands.train import steps
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.splits import split
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.models import STGCNConfig
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainConfig, TrainJob, choose, train
from stgcn_lens.training.adopt import adopt

EXAMPLE = "stgcn-lens demo --out runs/demo"
FLAGS = ()
CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "demo"

# Subjects 21 to 40 are the held-out ones; seen by one camera they give each class more clips than k = 15.
SHOWN = SyntheticConfig(subjects=tuple(range(21, 41)), views=(2,))
JOB = TrainJob(
    model=STGCNConfig(width=16, dropout=0.1),
    preprocessing=Preprocessing(frames=64, scale=False),
    training=TrainConfig(epochs=20, batch=32),
)


@dataclass(frozen=True)
class Args(Common):
    """Where, and whether to train."""

    out: Path = Path("runs/demo")
    """The run folder."""
    train: bool = False
    """Train from nothing on 20 synthetic subjects, test on the 20 others, then analyse that network."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    serve: bool = True
    """Open the app when the analysis is there (--no-serve: only make the run)."""
    port: int = 8501
    """Port of the app."""
    force: bool = False
    """Do everything again although nothing changed."""


def run(args: Args) -> Result:
    """Make the run, analyse it, open the app."""
    target, device = Run.create(args.out), choose(args.device)
    with target.lock():
        if args.train:
            metrics = _train(target, device, args.force)
        else:
            clips = _clips(target, SHOWN, args.force)
            with bar("classify") as progress:
                metrics = adopt(target, CHECKPOINT, clips, device=device, force=args.force, progress=progress)
    result = analyse(AnalyseArgs(run=args.out, device=args.device, force=args.force))
    text = f"{result.text}; top-1 {metrics['test']['top1']:.3f} on {metrics['test']['n']} clips of unseen subjects"
    if args.serve and not args.json:
        print(text, flush=True)
        status = until_closed(serve(args.out, args.port))
        return Result(f"{args.out}: the app was closed", result.data, 1 if status > 0 else 0)
    return replace(result, text=text, data={**result.data, "metrics": metrics})


def _clips(target: Run, config: SyntheticConfig, force: bool) -> ClipSet:
    """The run's synthetic clips, made once."""

    def make() -> ClipSet:
        with bar("synthesise") as progress:
            return synthetic_set(config, into=target / "data", progress=progress)

    return own_clips(target, {"source": {"synthetic": repr(config)}}, make, force)


def _train(target: Run, device: str, force: bool) -> dict:
    clips = _clips(target, SyntheticConfig(), force)
    with steps() as progress:
        return train(target, clips, split(clips), JOB, device=device, force=force, progress=progress)
