"""What is kept of a training that is not finished: written whole after every epoch, read by whoever goes on."""

import io
import shutil
from typing import Any

import torch

from stgcn_lens.errors import CheckpointError
from stgcn_lens.files import atomic
from stgcn_lens.runs import Run
from stgcn_lens.training.average import Average

STATE, CACHE = "train_state.pt", "cache"  # in the run folder, until the training is done


def write(
    run: Run,
    key: str,
    log: list[dict[str, Any]],
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Average | None,
) -> None:
    """Everything that the next epoch starts from; the log has a line for each epoch that is done."""
    state = {"key": key, "epoch": len(log), "log": log}
    state |= {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
    if average is not None:
        state["average"] = average.state()
    with atomic(run / STATE) as path:
        whole = io.BytesIO()  # torch.save tells a full disk as a RuntimeError
        torch.save(state, whole)
        path.write_bytes(whole.getbuffer())


def resume(
    run: Run, key: str, model: torch.nn.Module, optimiser: torch.optim.Optimizer, average: Average | None
) -> list[dict[str, Any]]:
    """The log of the epochs that are done, with everything set to that point; empty where nothing is done."""
    path = run / STATE
    if not path.is_file():
        return []
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["key"] != key:
            return []
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        if average is not None:
            average.restore(state["average"])
        return list(state["log"])
    except Exception as error:  # torch.load raises many kinds on a damaged file; all mean the same here
        raise CheckpointError(
            f"the training state cannot be read ({type(error).__name__})", file=path, fix="start over with --force"
        ) from error


def tidy(run: Run) -> None:
    """Remove what only an unfinished training needs."""
    shutil.rmtree(run / CACHE, ignore_errors=True)
    (run / STATE).unlink(missing_ok=True)
