"""Which device to compute on."""

import torch

from stgcn_lens.errors import LensError


def choose(name: str = "auto") -> str:
    """The device that `auto`, `cpu` or `cuda` means here; `LensError` if CUDA is asked for and absent."""
    if name not in ("auto", "cpu", "cuda"):
        raise LensError("unknown device", got=repr(name), expected="auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise LensError(
            "no CUDA device here", got="cuda", expected="a CUDA build of torch and a GPU", fix="use --device cpu"
        )
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
