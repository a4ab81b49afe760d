"""Weights that others have trained: which network they are, read off their names and shapes, and back again.

Three dialects are known: the released ST-GCN (`.pt`, a bare dict of ``st_gcn_networks...``), and ST-GCN and ST-GCN++ of
pyskl and mmaction2 (`.pth`, ``backbone.gcn...`` and ``cls_head...``). Nothing in a file can run
(``torch.load(weights_only=True)``).
"""

import re
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from torch import nn

from stgcn_lens.adjacency import NORMALISATIONS, PARTITIONS, partitions
from stgcn_lens.errors import CheckpointError, LensError
from stgcn_lens.models.blocks import GraphConv
from stgcn_lens.models.stgcn import CONFIGURATIONS, STGCN, STGCNConfig
from stgcn_lens.models.stgcnpp import DILATIONS, STGCNPPConfig
from stgcn_lens.skeleton import LAYOUTS, Layout, find_layout

Weights = dict[str, torch.Tensor]
_AGAIN = "get the file again"
_ENDS = (EOFError, IndexError, struct.error)  # of torch.load on an older file that is cut off, by where it ends

# dialect -> ((name there, name here), ...); {} is the number of the block, counted from 0 in both
_DIALECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "released ST-GCN": (
        ("data_bn", "entry.norm"),
        ("edge_importance.{}", "blocks.{}.graph.importance"),
        ("st_gcn_networks.{}.gcn.conv", "blocks.{}.graph.conv"),
        ("st_gcn_networks.{}.tcn.0", "blocks.{}.graph_norm"),
        ("st_gcn_networks.{}.tcn.2", "blocks.{}.temporal"),
        ("st_gcn_networks.{}.tcn.3", "blocks.{}.temporal_norm"),
        ("st_gcn_networks.{}.residual", "blocks.{}.shortcut"),
        ("fcn", "head"),
    ),
    "pyskl ST-GCN": (
        ("backbone.data_bn", "entry.norm"),
        ("backbone.gcn.{}.gcn.A", "blocks.{}.graph.adjacency"),
        ("backbone.gcn.{}.gcn.PA", "blocks.{}.graph.importance"),
        ("backbone.gcn.{}.gcn.conv", "blocks.{}.graph.conv"),
        ("backbone.gcn.{}.gcn.bn", "blocks.{}.graph_norm"),
        ("backbone.gcn.{}.tcn.conv", "blocks.{}.temporal"),
        ("backbone.gcn.{}.tcn.bn", "blocks.{}.temporal_norm"),
        ("backbone.gcn.{}.residual.conv", "blocks.{}.shortcut.0"),
        ("backbone.gcn.{}.residual.bn", "blocks.{}.shortcut.1"),
        ("cls_head.fc_cls", "head"),
        ("cls_head.fc", "head"),
    ),
    "pyskl ST-GCN++": (
        ("backbone.data_bn", "entry.norm"),
        ("backbone.gcn.{}.gcn.A", "blocks.{}.graph.adjacency"),
        ("backbone.gcn.{}.gcn.conv", "blocks.{}.graph.conv"),
        ("backbone.gcn.{}.gcn.bn", "blocks.{}.graph_norm"),
        ("backbone.gcn.{}.gcn.down", "blocks.{}.graph_shortcut"),
        *((f"backbone.gcn.{{}}.tcn.branches.{i}.3.conv", f"blocks.{{}}.temporal.branches.{i}.3") for i in range(4)),
        ("backbone.gcn.{}.tcn.branches", "blocks.{}.temporal.branches"),
        ("backbone.gcn.{}.tcn.transform", "blocks.{}.temporal.mix"),
        ("backbone.gcn.{}.tcn.bn", "blocks.{}.temporal.norm"),
        ("backbone.gcn.{}.residual.conv", "blocks.{}.shortcut.0"),
        ("backbone.gcn.{}.residual.bn", "blocks.{}.shortcut.1"),
        ("cls_head.fc_cls", "head"),
        ("cls_head.fc", "head"),
    ),
}


@dataclass(frozen=True, eq=False)
class Foreign:
    """Weights under our names, and the network that they are.

    Attributes
    ----------
    dialect : key of the table of names.
    architecture : key of `MODELS`; `config` its settings.
    layout, channels, classes : what the network reads and how many logits it gives.
    weights : our name -> tensor.
    notes : what was concluded, and what had to be assumed, in sentences.
    """

    dialect: str
    architecture: str
    config: Any
    layout: Layout
    channels: int
    classes: int
    weights: Weights
    notes: tuple[str, ...]


def read_foreign(path: Path | str, layout: str | None = None) -> Foreign:
    """Recognise a file of weights and infer all that its shapes can tell.

    Parameters
    ----------
    path : `.pt` or `.pth`.
    layout : which layout its joints have; needed where several would fit.

    Raises
    ------
    CheckpointError
        for a file that is not weights, of an unknown network, or whose layout has to be named.
    """
    path = Path(path)
    state = _tensors(path)
    dialect = _dialect(state, path)
    weights, unknown = _renamed(state, _DIALECTS[dialect])
    fixed = unknown.pop("A", None)
    if unknown:
        raise CheckpointError(
            f"weights of {dialect} with parts that it does not have",
            file=path,
            got=_few(list(unknown)),
            expected="the names of the released code",
            fix="put the network behind an adapter instead (docs/adapter.md)",
        )
    try:
        return _understood(dialect, weights, fixed, layout, path)
    except (KeyError, IndexError) as error:
        part = theirs(dialect, str(error.args[0])) if isinstance(error, KeyError) else "blocks"
        raise CheckpointError(
            f"half a checkpoint of {dialect}: a part is missing", file=path, got=f"no '{part}'", fix=_AGAIN
        ) from error
    except LensError:
        raise
    except (ArithmeticError, TypeError, ValueError, RuntimeError) as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        what = f"weights of {dialect} in shapes that it does not have"
        raise CheckpointError(what, file=path, got=got, fix=_AGAIN) from error


def theirs(dialect: str, name: str) -> str:
    """What a weight of ours is called in a file of that dialect."""
    return _translate(name, [(ours, other) for other, ours in _DIALECTS[dialect]]) or name


def to_released(model: nn.Module) -> "OrderedDict[str, torch.Tensor]":
    """The weights of an ST-GCN under the names of the released code, its adjacency among them."""
    if not isinstance(model, STGCN):
        raise CheckpointError(
            "only an ST-GCN has names in the released code", got=type(model).__name__, expected="architecture stgcn"
        )
    if model.config.learned:
        raise CheckpointError("the released code has no place for a learned adjacency", fix="export from its own run")
    graph = model.blocks[0].get_submodule("graph")
    assert isinstance(graph, GraphConv)
    out = OrderedDict({"A": graph.adjacency.detach().clone()})
    for name, tensor in model.state_dict().items():
        out[theirs("released ST-GCN", name)] = tensor[..., None, None] if name == "head.weight" else tensor
    return out


def _tensors(path: Path) -> Weights:
    """The tensors of a file, wherever it keeps them, without the prefixes of wrappers."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError("no such file", file=path, fix="check the path") from None
    except Exception as error:  # torch raises many kinds on what is no checkpoint
        if _cut_off(path, error):
            size = f"{path.stat().st_size:,} bytes"
            raise CheckpointError("half a file of weights: it is cut off", file=path, got=size, fix=_AGAIN) from error
        said = " ".join(str(error).split())
        culprit = re.search(r"GLOBAL \S+", said)
        said = f"{said.partition('. ')[0][:120]}{f' ({culprit[0]})' if culprit else ''}"
        raise CheckpointError(
            "not weights that can be read without running code",
            file=path,
            got=f"{type(error).__name__}: {said}",
            expected="a file of tensors, as torch.save(model.state_dict()) writes",
            fix="save the state_dict alone and import that",
        ) from error
    for inner in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(inner), Mapping):
            content = content[inner]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(v, torch.Tensor) for v in content.values())
    ):
        raise CheckpointError(
            "no weights in the file", file=path, got=type(content).__name__, expected="names and tensors"
        )
    keys = {re.sub(r"^(?:module\.|model\.)+", "", str(key)): tensor for key, tensor in content.items()}
    if not all(torch.isfinite(tensor).all() for tensor in keys.values() if tensor.is_floating_point()):
        raise CheckpointError("weights that are not finite numbers", file=path, fix=_AGAIN)
    return keys


def _cut_off(path: Path, error: Exception) -> bool:
    """Whether a file that cannot be read ends before its time."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    return (zipped and not is_zipfile(path)) or isinstance(error, _ENDS) or "EOF" in str(error)


def _dialect(state: Weights, path: Path) -> str:
    if any(key.startswith("st_gcn_networks.") for key in state):
        return "released ST-GCN"
    if any(".tcn.branches." in key for key in state):
        return "pyskl ST-GCN++"
    if any(re.match(r"backbone\.gcn\.\d+\.tcn\.conv", key) for key in state):
        return "pyskl ST-GCN"
    raise CheckpointError(
        "weights of a network that is not known",
        file=path,
        got=f"{len(state)} tensors: {_few(list(state))}",
        expected="released ST-GCN, or ST-GCN or ST-GCN++ of pyskl or mmaction2",
        fix="put the network behind an adapter instead (docs/adapter.md)",
    )


def _translate(name: str, table: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str | None:
    for here, there in table:
        match = re.fullmatch(re.escape(here).replace(r"\{\}", r"(\d+)") + r"((?:\..+)?)", name)
        if match:
            *block, rest = match.groups()
            return there.format(*block) + rest
    return None


def _renamed(state: Weights, table: tuple[tuple[str, str], ...]) -> tuple[Weights, Weights]:
    weights, unknown = {}, {}
    for name, tensor in state.items():
        ours = _translate(name, table)
        if ours is None:
            unknown[name] = tensor
        else:
            weights[ours] = tensor.float() if tensor.is_floating_point() else tensor
    return weights, unknown


def _understood(dialect: str, weights: Weights, fixed: torch.Tensor | None, layout: str | None, path: Path) -> Foreign:
    """The network that renamed weights are."""
    blocks = 1 + max((int(m[1]) for key in weights if (m := re.match(r"blocks\.(\d+)\.", key))), default=-1)
    outs = [weights[f"blocks.{i}.graph_norm.weight"].shape[0] for i in range(blocks)]
    channels = weights["blocks.0.graph.conv.weight"].shape[1]
    joints, rest = divmod(weights["entry.norm.weight"].shape[0], channels)
    weights["head.weight"] = weights["head.weight"].flatten(1)
    if rest or blocks == 0:
        raise CheckpointError("half a checkpoint", file=path, got=f"{blocks} blocks", fix=_AGAIN)
    before = [None, *outs[:-1]]
    # Shapes do not show strides. In every published configuration the blocks that double the channels halve the
    # frames; a convolution in a shortcut between equal channels can only be there for a stride.
    strided = tuple(
        i + 1 for i in range(1, blocks) if outs[i] != before[i] or f"blocks.{i}.shortcut.0.weight" in weights
    )
    notes = [f"{dialect}, {blocks} blocks, {joints} joints, {channels} channels, {len(weights['head.bias'])} classes"]
    notes.append(
        f"strides are not in the weights: blocks {', '.join(map(str, strided))} halve the frames, as published"
    )
    for name in [key for key in weights if key.endswith("running_var")]:  # before torch 0.4.1, they did not count
        weights.setdefault(name.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    config: Any
    if dialect == "pyskl ST-GCN++":
        share = [weights[f"blocks.0.temporal.branches.{i}.0.weight"].shape[0] for i in range(len(DILATIONS))]
        if len({*share[1:]}) > 1:
            raise CheckpointError(
                "temporal branches of another ST-GCN++", file=path, got=share, expected="equal shares"
            )
        wider = tuple(i + 1 for i in range(1, blocks) if outs[i] != outs[i - 1])
        config = STGCNPPConfig(width=outs[0], blocks=blocks, wider=wider, strided=strided)
        found = _only(joints, layout, path, notes)
        return Foreign(dialect, "stgcn++", config, found, channels, len(weights["head.bias"]), weights, tuple(notes))
    multiples = tuple(out // outs[0] for out in outs)
    first = "blocks.0.shortcut.0.weight" in weights
    named = {key for key, known in CONFIGURATIONS.items() if known == (multiples, strided, first)}
    if not named:
        raise CheckpointError(
            "an ST-GCN of another depth",
            file=path,
            got=f"channels {outs}",
            expected=f"a configuration: {', '.join(CONFIGURATIONS)}",
        )
    importance = "blocks.0.graph.importance" in weights
    config = STGCNConfig(
        configuration=named.pop(),
        width=outs[0],
        kernel=weights["blocks.0.temporal.weight"].shape[2],
        importance=importance,
    )
    own = [weights.pop(f"blocks.{i}.graph.adjacency", fixed) for i in range(blocks)]
    _fits([*own, *(weights.get(f"blocks.{i}.graph.importance") for i in range(blocks))], weights, joints, path)
    graph = _graph(own, joints, layout)
    if graph is not None:
        found, partition, normalisation = graph
        notes.append(
            f"the adjacency is that of layout {found.name}, partition {partition}, normalisation {normalisation}"
        )
        config = replace(config, partition=partition, normalisation=normalisation)
    elif any(a is None for a in own):
        raise CheckpointError("half a checkpoint: no adjacency", file=path, fix=_AGAIN)
    elif other := _graph(own, joints, None):
        raise CheckpointError(
            "the adjacency in the weights is that of another layout",
            file=path,
            got=f"layout {other[0].name}, partition {other[1]}",
            expected=f"layout {layout}",
            fix=f"--layout {other[0].name}, or leave --layout out",
        )
    else:
        found = _only(joints, layout, path, notes)
        notes.append("the adjacency is that of no layout and partition known here: kept as it is, as a learned one")
        for i, a in enumerate(own):
            assert a is not None
            mask = weights.pop(f"blocks.{i}.graph.importance", torch.ones(()))
            weights[f"blocks.{i}.graph.adjacency"] = a * mask
        shape = tuple(own[0].shape) if own[0] is not None else ()
        strategy = {1: "uniform", 2: "distance", 3: "spatial"}.get(shape[0])
        if strategy is None:
            raise CheckpointError("an adjacency of other partitions", file=path, got=shape, expected="K <= 3")
        config = replace(config, partition=strategy, importance=False, learned=True)
    return Foreign(dialect, "stgcn", config, found, channels, len(weights["head.bias"]), weights, tuple(notes))


def _fits(graphs: list[torch.Tensor | None], weights: Weights, joints: int, path: Path) -> None:
    """`CheckpointError` where an adjacency or a mask is not of the partitions and joints of the other weights."""
    kernels = weights["blocks.0.graph.conv.weight"].shape[0] // weights["blocks.0.graph_norm.weight"].shape[0]
    wanted = (kernels, joints, joints)
    other = next((tuple(graph.shape) for graph in graphs if graph is not None and graph.shape != wanted), None)
    if other is not None:
        expected = f"{wanted}: {kernels} partitions, {joints} joints"
        what = "an adjacency or a mask of another size than the convolutions"
        raise CheckpointError(what, file=path, got=other, expected=expected, fix=_AGAIN)


def _graph(own: list[torch.Tensor | None], joints: int, layout: str | None) -> tuple[Layout, str, str] | None:
    """The layout, partition and normalisation whose matrices all blocks have; None where no such is known."""
    if any(a is None for a in own):
        return None
    wanted = [find_layout(layout)] if layout else [known for known in LAYOUTS.values() if joints == known.V]
    for known in wanted:
        for strategy in PARTITIONS:
            for normalisation in NORMALISATIONS:
                a = partitions(known, strategy, normalisation)
                if all(b is not None and a.shape == b.shape and np.allclose(a, b, atol=1e-5) for b in own):
                    return known, strategy, normalisation
    return None


def _only(joints: int, layout: str | None, path: Path, notes: list[str]) -> Layout:
    """The layout that was named, or the only one with so many joints."""
    if layout is not None:
        found = find_layout(layout)
        if joints != found.V:
            raise CheckpointError(
                f"layout '{found.name}' does not fit the weights", file=path, got=f"{found.V} joints", expected=joints
            )
        return found
    fitting = [known for known in LAYOUTS.values() if joints == known.V]
    if len(fitting) != 1:
        raise CheckpointError(
            "which joints are these? The weights do not say",
            file=path,
            got=f"{joints} joints",
            expected=f"--layout, one of {', '.join(k.name for k in fitting)}" if fitting else "--layout FILE.toml",
        )
    notes.append(f"assumed: layout {fitting[0].name}, the only one with {joints} joints")
    return fitting[0]


def _few(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
