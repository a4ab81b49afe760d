"""The page itself: figures, players and tables from the gathered results, written into the run folder."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from stgcn_lens import __version__
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.files import atomic_folder
from stgcn_lens.report import results, samples, sentences, studies, study_figures
from stgcn_lens.report.draw import Progress, draw
from stgcn_lens.report.page import render
from stgcn_lens.report.tables import numbers_csv
from stgcn_lens.runs import Run, plain, stage_key
from stgcn_lens.viz import figures, player


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
    """Write report.html, results.json and .csv, summary.md and figures/*.svg from the files of a run; returns the page.

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
        gathered |= {"created": made(), "version": __version__, "settings": _settings(gathered)}
        moving = _samples(run, config, gathered)
        gathered = plain(worded(gathered))
        drawn = draw(gathered, moving, progress or (lambda done, total: None))
        _write_figures(run, drawn)
        run.write_json("results.json", gathered)
        run.write_text("results.csv", numbers_csv(gathered))
        run.write_text("summary.md", sentences.summary(gathered))
        players = [_player(shown, first=i == 0) for i, shown in enumerate(moving)]
        text = render(
            "template.html",
            r=gathered,
            figures={name: Markup(figures.inline(figure, name)) for name, figure in drawn.items()},
            pictures=pictures(run, gathered),
            players=players,
            neighbour_sentence=sentences.neighbours,
            player_assets=Markup(player.assets()) if any(players) else "",
        )
        run.write_text("report.html", text)
    return page


def made() -> str:
    """The time of now, for the head of a page."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def worded(gathered: results.Results) -> results.Results:
    """The numbers of a run with all that is said of them."""
    told = studies.shown(gathered["studies"])
    drawn = study_figures.told(gathered["studies"]["layers"])
    return {
        **gathered,
        "title": f"{gathered['model']['name']} on {gathered['data']['source']}: what each layer learned",
        "findings": {name: studies.findings(study) for name, study in gathered["studies"].items()},
        "shown": told,
        "headline": sentences.headline(gathered),
        "figures": {**sentences.figures(gathered), **drawn},
        "study_figures": list(drawn),
    }


def pictures(run: Run, gathered: results.Results) -> dict[str, list[dict[str, str]]]:
    """What the studies have drawn themselves."""
    return {name: studies.pictures(run, study) for name, study in gathered["studies"].items()}


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
            clip = clips[choice.row["clip"]]
            shown = samples.move(run, clip, choice, gathered, key_frames=config.key_frames)
            about |= {"silent": shown.silent, "seconds": shown.seconds, "key_frames": len(shown.seconds)}
            moving.append(shown)
        except DataError as error:
            moving.append(None)
            gathered["missing"].append({"part": f"player: {about['name']}", "why": str(error), "command": None})
    return moving


def _settings(gathered: results.Results) -> dict[str, Any]:
    """What the explanations of the methods name: the settings of the stages, flat, by stage."""
    return {stage["stage"]: dict(results.flat(stage["config"] or {})) for stage in gathered["stages"]}


def _write_figures(run: Run, drawn: dict[str, str]) -> None:
    with atomic_folder(run / "figures") as folder:
        for name, figure in drawn.items():
            (folder / f"{name}.svg").write_text(figure)


def _player(shown: samples.Moving | None, *, first: bool) -> Markup | None:
    """The player of one clip, and beside it what changes with the layer."""
    if shown is None:
        return None
    scope = samples.SCOPE if shown.layers else ""
    fragment = player.html(shown.panel, standalone=False, scope=scope, height=330, autoplay=first)
    layers = player.json_in_html(shown.layers)
    return Markup(f'{fragment}<script type="application/json" data-layers>{layers}</script>')
