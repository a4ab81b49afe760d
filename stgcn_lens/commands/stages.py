"""The four stages of an analysis as calls with a bar each; the verbs are thin wrappers of these."""

from stgcn_lens.commands.progress import bar
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.report import ReportConfig, build
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.saliency import ExplainConfig, explain


def embed_stage(run: Run, config: EmbedConfig, device: str, force: bool) -> tuple[str, dict]:
    """Embeddings; a sentence and numbers."""
    with bar("embed") as progress:
        n = embed(run, config, device=device, force=force, progress=progress)
    return f"{n} clips embedded", {"clips": n}


def graph_stage(run: Run, config: GeometryConfig, force: bool) -> tuple[str, dict]:
    """Graphs and label errors; a sentence and numbers."""
    with bar("graph", "layer") as progress:
        table = graph(run, config, force=force, progress=progress)
    blocks = [row for row in table if row["layer"].startswith("block_")]
    first, last = table[0], blocks[-1]
    errors = first["knn_label_error"]["value"], last["knn_label_error"]["value"]
    text = f"kNN label error {errors[0]:.3f} at {first['layer']}, {errors[1]:.3f} at {last['layer']}"
    return text, {"layers": table}


def explain_stage(run: Run, config: ExplainConfig, device: str, force: bool) -> tuple[str, dict]:
    """Saliency; a sentence and numbers."""
    with bar("explain") as progress:
        layers = explain(run, config, device=device, force=force, progress=progress)
    return f"saliency of {len(layers)} layers", {"layers": layers}


def report_stage(run: Run, config: ReportConfig, force: bool) -> tuple[str, dict]:
    """The report; a sentence and its path."""
    with bar("report", "part") as progress:
        path = build(run, config, force=force, progress=progress)
    return f"report {path}", {"report": str(path)}
