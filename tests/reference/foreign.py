"""Published networks run straight from the names in their weight files, with functional calls and nothing of ours.

ST-GCN: Yan et al. 2018, as released. ST-GCN and ST-GCN++: Duan et al. 2022, as pyskl stores them.
"""

import torch
import torch.nn.functional as F


def norm(x, w, name):
    return F.batch_norm(x, *(w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))


def conv(x, w, name, stride=1, dilation=1):
    weight = w[f"{name}.weight"]
    pad = dilation * (weight.shape[2] - 1) // 2
    return F.conv2d(x, weight, w[f"{name}.bias"], (stride, 1), (pad, 0), (dilation, 1))


def graph(x, w, name, a):
    y = conv(x, w, name)
    n, kc, t, v = y.shape
    return torch.einsum("nkctv,kvw->nctw", y.view(n, len(a), kc // len(a), t, v), a)


def entry(x, w, name):
    n, c, t, v, m = x.shape
    y = x.permute(0, 4, 3, 1, 2).reshape(n * m, v * c, t)
    return norm(y, w, name).view(n * m, v, c, t).permute(0, 2, 3, 1)


def pooled(y, n):
    return F.avg_pool2d(y, y.shape[2:]).view(n, -1, y.shape[1]).mean(dim=1)


def released(x, w, strides):
    """Logits of the released ST-GCN for clips (N, C, T, V, M); `strides` of its blocks."""
    y = entry(x, w, "data_bn")
    for i, stride in enumerate(strides):
        own = f"st_gcn_networks.{i}"
        z = graph(y, w, f"{own}.gcn.conv", w["A"] * w.get(f"edge_importance.{i}", 1))
        z = norm(conv(F.relu(norm(z, w, f"{own}.tcn.0")), w, f"{own}.tcn.2", stride), w, f"{own}.tcn.3")
        if f"{own}.residual.0.weight" in w:
            z = z + norm(conv(y, w, f"{own}.residual.0", stride), w, f"{own}.residual.1")
        elif i:
            z = z + y
        y = F.relu(z)
    return F.conv2d(pooled(y, len(x))[..., None, None], w["fcn.weight"], w["fcn.bias"]).flatten(1)


def pyskl(x, w, strides):
    """Logits of ST-GCN or ST-GCN++ as pyskl stores them, for clips (N, C, T, V, M)."""
    y = entry(x, w, "backbone.data_bn")
    for i, stride in enumerate(strides):
        own = f"backbone.gcn.{i}"
        a = w[f"{own}.gcn.A"] * w.get(f"{own}.gcn.PA", 1)
        z = norm(graph(y, w, f"{own}.gcn.conv", a), w, f"{own}.gcn.bn")
        if f"{own}.tcn.conv.weight" in w:
            z = norm(conv(F.relu(z), w, f"{own}.tcn.conv", stride), w, f"{own}.tcn.bn")
        else:
            down = f"{own}.gcn.down"
            z = F.relu(z + (norm(conv(y, w, f"{down}.0"), w, f"{down}.1") if f"{down}.0.weight" in w else y))
            branches = []
            for b in range(5):
                part = f"{own}.tcn.branches.{b}"
                at = F.relu(norm(conv(z, w, f"{part}.0"), w, f"{part}.1"))
                branches.append(
                    conv(at, w, f"{part}.3.conv", stride, b + 1)
                    if b < 4
                    else F.max_pool2d(at, (3, 1), (stride, 1), (1, 0))
                )
            branches.append(conv(z, w, f"{own}.tcn.branches.5", stride))
            z = F.relu(norm(torch.cat(branches, 1), w, f"{own}.tcn.transform.0"))
            z = norm(conv(z, w, f"{own}.tcn.transform.2"), w, f"{own}.tcn.bn")
        if f"{own}.residual.conv.weight" in w:
            z = z + norm(conv(y, w, f"{own}.residual.conv", stride), w, f"{own}.residual.bn")
        elif i:
            z = z + y
        y = F.relu(z)
    head = "cls_head.fc_cls" if "cls_head.fc_cls.weight" in w else "cls_head.fc"
    return F.linear(pooled(y, len(x)), w[f"{head}.weight"], w[f"{head}.bias"])
