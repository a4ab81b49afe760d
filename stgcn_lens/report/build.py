"""The page itself: figures, players and tables from the gathered results, written into the run folder."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from stgcn_lens import __version__
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.report import results, samples, sentences
from stgcn_lens.runs import Run, atomic_folder, plain, stage_key
from stgcn_lens.viz import figures, player, theme

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReportConfig:
    """What the report looks at closely."""

    clips: int = 4
    """Clips that play on the page: recognised ones and the surest mistake (ours)."""
    neighbours: int = 5
    """Neighbours listed for each of them, at each of three layers (ours)."""
    key_frames: int = 7
    """Frames of their film strips (ours)."""

    def __post_init__(self) -> None:
        if self.clips < 0 or self.neighbours < 1 or self.key_frames < 2:
            raise LensError(
                "impossible report",
                got=f"clips {self.clips}, neighbours {self.neighbours}, key frames {self.key_frames}",
                expected="clips >= 0, neighbours >= 1, key frames >= 2",
            )


def build(run: Run, config: ReportConfig, *, force: bool = False, progress: Progress | None = None) -> Path:
    """Write report.html, results.json, summary.md and figures/*.svg from the files of a run; returns the page.

    A run without some stages still gets a page, which says what is missing and which command makes it. The page
    needs no network; equal runs give equal files but for the time of making.

    Raises
    ------
    RunError : the run has no finished `train`, or a file of a finished stage is missing or broken.
    """
    run.key("train")
    done = {name: item["key"] for name, item in run.manifest()["stages"].items() if item["status"] == "done"}
    inputs = {**{name: key for name, key in done.items() if name != "report"}, "stgcn-lens": __version__}
    page = run / "report.html"
    if run.fresh("report", stage_key(config, inputs)) and page.is_file() and not force:
        return page
    with run.stage("report", config=config, inputs=inputs):
        gathered = results.collect(run)
        gathered |= {
            "title": f"What {gathered['model']['name']} learned from {gathered['data']['source']}",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "settings": _settings(gathered),
        }
        moving = _samples(run, config, gathered)
        gathered["headline"] = sentences.headline(gathered)
        gathered["figures"] = sentences.figures(gathered)
        gathered = plain(gathered)
        drawn = _draw(gathered, moving, progress or (lambda done, total: None))
        _write_figures(run, drawn, gathered)
        run.write_json("results.json", gathered)
        run.write_text("summary.md", sentences.summary(gathered))
        run.write_text("report.html", _render(gathered, moving, drawn))
    return page


def _samples(run: Run, config: ReportConfig, gathered: results.Results) -> list[samples.Moving | None]:
    """Describe the chosen clips in the results; a clip that cannot be shown is said to be so, and is None."""
    rows = results.clip_rows(run)
    analysed = run.read_array("embeddings/clips.npy") if gathered["analysed"] is not None else None
    chosen = samples.choose(rows, analysed, config.clips)
    gathered["samples"] = [samples.describe(run, rows, choice, gathered, config.neighbours) for choice in chosen]
    gathered["neighbour_layers"] = samples.shown_layers([entry["layer"] for entry in gathered["layers"]])
    moving: list[samples.Moving | None] = []
    try:
        clips = results.open_data(run)
    except DataError as error:
        gathered["missing"].append({"part": "players: skeletons that move", "why": str(error), "command": None})
        return [None] * len(chosen)
    for choice, about in zip(chosen, gathered["samples"], strict=True):
        try:
            moving.append(
                samples.move(run, clips[choice.row["clip"]], choice, gathered, key_frames=config.key_frames)
            )
            about["silent"] = moving[-1].silent if moving[-1] else []
            about["seconds"] = moving[-1].seconds if moving[-1] else []
        except DataError as error:
            moving.append(None)
            gathered["missing"].append({"part": f"player: {about['name']}", "why": str(error), "command": None})
    return moving


def _settings(gathered: results.Results) -> dict[str, Any]:
    """What the explanations of the methods name: the settings of the stages, flat, by stage."""
    return {stage["stage"]: dict(flat(stage["config"] or {})) for stage in gathered["stages"]}


def _draw(
    gathered: results.Results, moving: list[samples.Moving | None], progress: Progress
) -> dict[str, tuple[Figure, str]]:
    """Name -> figure and its alternative text."""
    jobs: dict[str, Callable[[], Figure]] = {}
    layers = gathered["layers"]
    if layers:
        names = [entry["layer"] for entry in layers]
        jobs["label_error"] = lambda: figures.label_error_curve(
            names,
            [_series(label, layers, f"{key}_label_error") for key, label in results.MEASURES.items()],
            [entry["knn_label_error"]["chance"] for entry in layers],
        )
        count = figures.Series("mean NNK neighbours", _floats(entry["mean_nnk_neighbours"] for entry in layers))
        jobs["neighbours"] = lambda: figures.curves(names, [count], ylabel="neighbours")
        overlaps = [
            figures.Series(label, _floats(entry[f"overlap_{key}"] for entry in layers))
            for key, label in (("input", "with the input"), ("previous", "with the layer before"))
        ]
        jobs["overlap"] = lambda: figures.curves(names, overlaps, ylabel="overlap (Jaccard)", limits=(0.0, 1.02))
    saliency = gathered["saliency"]
    for layer in saliency["tables"] if saliency else ():
        jobs[f"class_by_joint_{layer}"] = lambda layer=layer: figures.heatmap(
            np.array(saliency["tables"][layer]["values"], dtype=float),
            gathered["model"]["classes"],
            saliency["joints"],
            label="mean saliency",
        )
    if gathered["localisation"]:
        found = gathered["localisation"]
        series = [
            _series("saliency", found, "average_precision"),
            _series("joint speed", found, "motion"),
            _series("random map", found, "random"),
        ]
        blocks = [entry["layer"] for entry in found]
        jobs["localisation"] = lambda: figures.curves(blocks, series, ylabel="average precision", limits=(0.0, 1.0))
    if gathered["confusion"]:
        counts = np.array(gathered["confusion"]["counts"])
        jobs["confusion"] = lambda: figures.confusion(counts, gathered["model"]["classes"])
    if gathered["training"]:
        log = gathered["training"]["log"]
        panels = {
            "loss": [figures.Series("training clips", [line["loss"] for line in log])],
            "top-1 accuracy": [figures.Series("training clips (augmented)", [line["top1"] for line in log])],
        }
        jobs["training"] = lambda: figures.training_curve([line["epoch"] for line in log], panels)
    bones = results.get_layout(gathered["data"]["layout"]).bones
    alts = {name: entry["alt"] for name, entry in gathered["figures"].items()}
    for i, (about, shown) in enumerate(zip(gathered["samples"], moving, strict=True)):
        if shown is not None:
            times = [f"{second:.2f} s" for second in shown.seconds]
            alts[f"strip_{i + 1}"] = f"Film strip of {about['name']}, {len(times)} frames, saliency as colour and size."
            jobs[f"strip_{i + 1}"] = lambda shown=shown, times=times: figures.film_strip(
                shown.points, shown.valid, bones, saliency=shown.saliency, captions=times
            )
    drawn = {}
    for number, (name, job) in enumerate(jobs.items()):
        progress(number, len(jobs))
        drawn[name] = (job(), alts[name])
    progress(len(jobs), len(jobs))
    return drawn


def _series(label: str, entries: list[dict[str, Any]], key: str) -> figures.Series:
    parts = (_floats(entry[key][part] for entry in entries) for part in ("value", "ci_low", "ci_high"))
    return figures.Series(label, *parts)


def _floats(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _write_figures(run: Run, drawn: dict[str, tuple[Figure, str]], gathered: results.Results) -> None:
    with atomic_folder(run / "figures") as folder:
        for name, (figure, alt) in drawn.items():
            (folder / f"{name}.svg").write_text(figures.svg(figure, name, alt))


def _render(
    gathered: results.Results, moving: list[samples.Moving | None], drawn: dict[str, tuple[Figure, str]]
) -> str:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"two": sentences.two, "percent": sentences.percent, "span": sentences.span, "flat": flat}
    players = [_player(shown, first=i == 0) for i, shown in enumerate(moving)]
    return environment.get_template("template.html").render(
        r=gathered,
        figures={name: Markup(figures.svg(figure, name, alt, inline=True)) for name, (figure, alt) in drawn.items()},  # noqa: S704
        players=players,
        neighbour_sentence=sentences.neighbours,
        css=Markup(theme.css() + (here / "report.css").read_text()),  # noqa: S704
        player_assets=Markup(player.assets()) if any(players) else "",  # noqa: S704
    )


def _player(shown: samples.Moving | None, *, first: bool) -> Markup | None:
    """The player of one clip, and beside it what changes with the layer."""
    if shown is None:
        return None
    scope = samples.SCOPE if shown.layers else ""
    fragment = player.html(shown.panel, standalone=False, scope=scope, height=330, autoplay=first)
    layers = player.json_in_html(shown.layers)
    return Markup(f'{fragment}<script type="application/json" data-layers>{layers}</script>')  # noqa: S704


def flat(config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    pairs: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            pairs += flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs
