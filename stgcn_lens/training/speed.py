"""Faster arithmetic where it is asked for: bfloat16, and a compiled network."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch

from stgcn_lens.errors import LensError

Forward = Callable[[torch.Tensor], torch.Tensor]


def autocast(device: str, precision: str) -> AbstractContextManager:
    """In the block, bf16 computes convolutions and products in bfloat16; gradients need no scaling, unlike fp16's."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def compiled(
    model: torch.nn.Module, examples: Iterable[torch.Tensor], device: str, precision: str
) -> tuple[Forward, str | None]:
    """The compiled network, or the network and a sentence on why it could not be compiled.

    Compiling happens when a network meets clips, and again for the gradients and for another number of clips: it is
    tried here once for each of the `examples`, in the mode that the network is in, so that no step can fail by it. The
    examples leave no trace in the network.
    """
    kept = {name: tensor.clone() for name, tensor in model.named_buffers()}
    try:
        from torch._dynamo import config  # costs a second, so only here

        # Blocks between norms that several processes share are compiled one by one, each for every number of clips.
        with torch.random.fork_rng(devices=[]), config.patch(recompile_limit=256), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a compiler warns of, nobody here can mend
            fast = torch.compile(model, dynamic=False)
            for x in examples:
                with autocast(device, precision):
                    answer = fast(x)
                answer.float().sum().backward()
    except LensError:
        raise
    except Exception as error:  # compilers fail in every way: no C++ compiler, an operation they do not know, no room
        told = str(error).strip().splitlines()
        return model, f"torch.compile failed ({type(error).__name__}: {told[0] if told else ''}); trained without it"
    finally:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, tensor in model.named_buffers():
                tensor.copy_(kept[name])
    return fast, None
