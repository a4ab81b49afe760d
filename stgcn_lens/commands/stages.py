"""The four stages of an analysis as calls with a bar each; the verbs are thin wrappers of these."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from stgcn_lens.commands.progress import bar
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.processes import ALONE, Group, processes
from stgcn_lens.report import ReportConfig, build
from stgcn_lens.runs import Run
from stgcn_lens.studies.graph_files import export
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.saliency import ExplainConfig, explain


@contextmanager
def shared(path: Path, device: str) -> Iterator[tuple[Run, Group]]:
    """A run and the processes that torchrun started for it, of which process 0 holds the run for writing.

    The others end after the block: process 0 tells the result.
    """
    with processes(device) as group, ExitStack() as held:
        with group.in_turn():
            run = Run.open(path)
            if group.first:
                held.enter_context(run.lock())
        yield run, group
    if not group.first:
        raise SystemExit(0)


def embed_stage(run: Run, config: EmbedConfig, device: str, force: bool, group: Group = ALONE) -> tuple[str, dict]:
    """Embeddings; a sentence and numbers."""
    n, again = _shown(
        run,
        "embed",
        "clip",
        lambda progress: embed(run, config, device=device, group=group, force=force, progress=progress),
        group,
    )
    return f"{n} clips embedded{again}", {"clips": n, "skipped": bool(again)}


def graph_stage(
    run: Run,
    config: GeometryConfig,
    device: str,
    force: bool,
    group: Group = ALONE,
    files: Path | None = None,
) -> tuple[str, dict]:
    """Graphs and label errors; a sentence and numbers. `files`: a folder for the graphs as other programs read them."""
    table, again = _shown(
        run,
        "graph",
        "part",
        lambda progress: graph(run, config, device=device, group=group, force=force, progress=progress),
        group,
    )
    blocks = [row for row in table if row["layer"].startswith("block_")]
    first, last = table[0], blocks[-1]
    errors = first["knn_label_error"]["value"], last["knn_label_error"]["value"]
    text = f"kNN label error {errors[0]:.3f} at {first['layer']}, {errors[1]:.3f} at {last['layer']}{again}"
    data: dict[str, Any] = {"layers": table, "skipped": bool(again)}
    if files is not None and group.first:
        data["files"] = [str(file) for file in export(run, config.graph, files)]
        text += f"; {len(data['files'])} files of graphs in {files}"
    return text, data


def explain_stage(run: Run, config: ExplainConfig, device: str, force: bool) -> tuple[str, dict]:
    """Saliency; a sentence and numbers."""
    layers, again = _shown(
        run, "explain", "clip", lambda progress: explain(run, config, device=device, force=force, progress=progress)
    )
    return f"saliency of {len(layers)} layers{again}", {"layers": layers, "skipped": bool(again)}


def report_stage(run: Run, config: ReportConfig, force: bool) -> tuple[str, dict]:
    """The report; a sentence and its path."""
    path, again = _shown(run, "report", "part", lambda progress: build(run, config, force=force, progress=progress))
    return f"report {path}{again}", {"report": str(path), "skipped": bool(again)}


def _shown(
    run: Run, stage: str, unit: str, work: Callable[[Callable[[int, int], None] | None], Any], group: Group = ALONE
) -> tuple[Any, str]:
    """The result of a stage, worked out under a bar, and a note if nothing had changed and nothing was done."""
    if not group.first:
        return work(None), ""
    before = run.manifest()["stages"].get(stage)
    with bar(stage, unit) as progress:
        result = work(progress)
    return result, " (unchanged, skipped)" if run.manifest()["stages"].get(stage) == before else ""
