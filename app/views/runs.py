"""All run folders, what each of them holds, and the cheap stages that it lacks, made from here."""

import shlex
import sys
from pathlib import Path

import pandas as pd
import streamlit as st

from app import jobs, stages, state
from app.state import plain
from stgcn_lens.cli import COMMANDS
from stgcn_lens.data.overview import size
from stgcn_lens.errors import RunError
from stgcn_lens.runs import STAGES

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERY = 1.0  # seconds between two looks at a stage that is being made
_MARKS = {"done": "✓", "stale": "↻ stale", "failed": "✗ failed", "running": "… running", "interrupted": "✗ interrupted"}
_TERMINAL = {
    "score": "whether its explanations can be trusted",
    "study layers": "every layer beside untrained and shuffled controls",
    "study noise": "what noise does to answer, geometry and evidence",
    "confusions": "the pairs that it confuses",
}


def main() -> None:
    """Draw the page."""
    chosen = state.current()
    given, root = state.given(sys.argv[1:])
    found = {name: path for name, path in state.places(sys.argv[1:]).items() if path is not None}
    if not found:
        st.markdown(f"No run folder in `{plain_code(root)}` yet.")
        _code("Make one from made-up people, with a trained network and its analysis:", "stgcn-lens demo")
        _code("Or from your recordings:", f"stgcn-lens train --data DATA --out {shlex.quote(str(root / 'mine'))}")
        return
    rows = {name: stages.overview(path) for name, path in found.items()}
    lacking = [name for name, row in rows.items() if row.next]
    st.markdown(
        f"**{len(rows)}** run folder{'s' * (len(rows) > 1)} in `{plain_code(root)}`; of {len(lacking) or 'none'} "
        "a stage is missing that can be made here. Choose a line to go on with that run."
    )
    _table(rows)
    _watch()
    if chosen.source.path is None:
        st.info("The demo model has no folder. Choose a run above.", icon=":material/info:")
        return
    own = next((row for name, row in rows.items() if found[name].resolve() == chosen.source.path.resolve()), None)
    if own is None or not stages.inside(own.path, root, given):
        st.info(f"This run lies outside of `{plain_code(root)}`; nothing is made there.", icon=":material/info:")
        return
    left, right = st.columns(2, gap="large")
    with left:
        _here(own)
    with right:
        _terminal(own.path)


def _table(rows: dict[str, stages.Overview]) -> None:
    table = pd.DataFrame(
        [
            {
                "run": name,
                **{stage: _mark(*row.stages.get(stage, (stages.MISSING, None))) for stage in STAGES},
                "top-1": row.top1,
                "size": size(row.bytes),
                "trouble": row.trouble,
            }
            for name, row in rows.items()
        ]
    )
    trouble = [] if any(row.trouble for row in rows.values()) else ["trouble"]
    st.dataframe(
        table.drop(columns=trouble),
        hide_index=True,
        height="content" if len(table) < 12 else 440,
        key="runs_table",
        on_select=_pick,
        selection_mode="single-row",
        column_config={"top-1": st.column_config.NumberColumn(format="percent")},
        alt=f"{len(table)} runs with the state of {', '.join(STAGES)}, their accuracy and size.",
    )
    st.session_state["runs_listed"] = list(rows)


def _mark(status: str, seconds: float | None) -> str:
    """✓ with the time it took, or what else there is to say."""
    if status == stages.MISSING:
        return "–"  # noqa: RUF001
    mark = _MARKS.get(status, status)
    return f"{mark} {_seconds(seconds)}" if status == stages.DONE and seconds is not None else mark


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _pick() -> None:
    picked = st.session_state["runs_table"]["selection"]["rows"]
    if picked:
        st.session_state["run"] = st.session_state["runs_listed"][picked[0]]


def _watch() -> None:
    """The stage that is being made, or the last one."""
    board = jobs.jobs()
    running = board.running is not None
    st.fragment(_job, run_every=EVERY if running else None)(running)


def _job(was_running: bool) -> None:
    board = jobs.jobs()
    job = board.last
    if job is None:
        return
    status = job.status
    what = f"{job.verb} of {plain(job.run.name)}"
    if status == "running":
        told = job.progress()
        text = f"{what}{', being cancelled' if job.cancelled else ''}: {_seconds(job.seconds)}"
        if told:
            text += f", {plain(told['what'])} {told['done']:,} of {told['total']:,}"
        left, right = st.columns([5, 1], vertical_alignment="center")
        with left:
            st.progress(min(1.0, told["done"] / told["total"]) if told else 0.0, text)
        with right:
            st.button("Cancel", key="cancel_job", on_click=board.cancel, icon=":material/stop:", disabled=job.cancelled)
        return
    if was_running:
        st.rerun()  # the table has changed
    if status == "done":
        st.success(f"{what}: done after {_seconds(job.seconds)}.", icon=":material/check:")
    elif status == "cancelled":
        st.warning(f"{what}: cancelled. Started again, it goes on where it was.", icon=":material/stop:")
    else:
        st.error(plain(job.said.splitlines()[-1]) if job.said else "no word why", title=f"{what} failed")


def _here(own: stages.Overview) -> None:
    st.markdown(f"**Make here: {plain(own.path.name)}**")
    if own.trouble:
        st.error(plain(own.trouble), title="This run is broken")
        return
    if not own.next:
        train = own.stages.get("train", (stages.MISSING, None))[0]
        text = "Nothing is missing." if train == stages.DONE else "It has to be trained first, in a terminal."
        st.caption(f"{text} Stages that can be made here: {', '.join(stages.CHEAP)}.")
        return
    if st.get_option("server.address") not in LOOPBACK:
        st.caption("This app is served to others, so it starts nothing. In a terminal:")
        for stage in own.next:
            st.code(f"stgcn-lens {stage} {shlex.quote(str(own.path))}", language="bash")
        return
    busy = jobs.jobs().running is not None
    everything = ["analyse"] if len(own.next) > 1 or "embed" in own.next else []
    for verb in [*everything, *own.next]:
        label = "Make all of embed, graph, explain, report" if verb == "analyse" else f"Make {verb}"
        st.button(
            label,
            key=f"make_{verb}",
            on_click=_start,
            args=(own.path, verb),
            disabled=busy,
            icon=":material/play_arrow:",
            width="stretch",
        )
    if busy:
        st.caption("One stage at a time: wait for the one that is being made, or cancel it.")


def _start(path: Path, verb: str) -> None:
    try:
        jobs.jobs().start(path, verb)
    except RunError as error:  # another session was faster
        st.toast(plain(str(error)), icon=":material/error:")


def _terminal(path: Path) -> None:
    st.markdown("**In a terminal**", help="These take minutes to hours. The app shows what they leave in the run.")
    for verb, about in _TERMINAL.items():
        if verb not in COMMANDS:
            continue
        _code(about[0].upper() + about[1:], f"stgcn-lens {verb} {shlex.quote(str(path))}")


def _code(about: str, line: str) -> None:
    st.caption(plain(about))
    st.code(line, language="bash")


def plain_code(path: Path) -> str:
    """A path inside of backticks."""
    return str(path).replace("`", "'")


main()
