"""Which device to compute on."""

import os

import torch

from stgcn_lens.errors import LensError


def choose(name: str = "auto") -> str:
    """The device that `auto`, `cpu` or `cuda` means here; under torchrun each process has a GPU of its own.

    Raises
    ------
    LensError : CUDA is asked for and absent, or there are more processes here than GPUs.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise LensError("unknown device", got=repr(name), expected="auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise LensError(
            "no CUDA device here", got="cuda", expected="a CUDA build of torch and a GPU", fix="use --device cpu"
        )
    if name == "cpu" or not torch.cuda.is_available():
        return "cpu"
    number, gpus = os.environ.get("LOCAL_RANK"), torch.cuda.device_count()
    if number is None:
        return "cuda"
    if int(number) >= gpus:
        raise LensError(
            "more processes than GPUs here",
            got=f"process {number} and {gpus} GPUs",
            expected="one GPU for each",
            fix=f"torchrun --nproc-per-node {gpus}, or --device cpu",
        )
    return f"cuda:{number}"
