"""What stages of a run say about one map: the map itself, of methods too slow for the page, and whether to trust it."""

from typing import Any

import numpy as np
import streamlit as st

from app import compute
from app.sources import ClipRow, Source
from stgcn_lens.arrays import read_rows
from stgcn_lens.errors import RunError


def explained(source: Source, row: ClipRow, target: int, method: str, against: int | None) -> compute.Explained | None:
    """A clip's maps from RUN/explanations, if they were made by this method for this class; else None."""
    if source.path is None or source.needs("embed") is not None:
        return None
    from stgcn_lens.studies.explanations import explanations  # needs captum

    for made in explanations(source.run).values():
        if made.about.get("method") != method or made.about.get("signed"):
            continue
        place = _place(source, made.folder.name, row.number, target, against)
        if place is not None:
            return _read(source, row, made.folder.name, made.about, place, target, against)
    return None


def _place(source: Source, name: str, number: int, target: int, against: int | None) -> int | None:
    """Position of a clip in an explanation that speaks for the class, held against the other if one is given."""
    folder = f"explanations/{name}"
    found = np.flatnonzero(source.run.read_array(f"{folder}/clips.npy") == number)
    if not len(found):
        return None
    i = int(found[0])
    held = (source.run / folder / "against.npy").is_file()
    other = int(source.run.read_array(f"{folder}/against.npy")[i]) if held else None
    return i if int(source.run.read_array(f"{folder}/targets.npy")[i]) == target and other == against else None


def _read(
    source: Source, row: ClipRow, name: str, about: dict[str, Any], i: int, target: int, against: int | None
) -> compute.Explained:
    held = compute.model(str(source.model), source.stamp)
    clip = source.clip(row)
    fed = compute.feed(held, clip)
    maps = {}
    for layer in about["layers"]:
        folder = f"explanations/{name}/{layer['layer']}"
        offsets = source.run.read_array(f"{folder}/offsets.npy")
        values = source.run.read_array(f"{folder}/maps.npy", mmap=True)
        maps[layer["layer"]] = fed.on_clip(
            read_rows(values, int(offsets[i]), int(offsets[i + 1])), int(layer["stride"])
        )
    return compute.Explained(
        clip=fed.clip,
        probabilities=compute.predict(str(source.model), source.stamp, clip),
        target=target,
        maps=maps,
        no_evidence={layer: not map.any() for layer, map in maps.items()},
        method=about["method"],
        against=against,
    )


@st.cache_data(max_entries=16, show_spinner=False)
def scores(path: str, stamp: str, _source: Source) -> dict[str, Any]:
    """scores/scores.json of a run, without its curves."""
    found = _source.run.read_json("scores/scores.json")
    try:
        return {
            "n": int(found["n"]),
            "verdicts": {(v["method"], v["layer"]): (v["better_than_motion"], v["why"]) for v in found["verdicts"]},
        }
    except (KeyError, TypeError, ValueError) as error:
        fix = f"run: stgcn-lens score {path} --force"
        raise RunError(f"damaged ({error})", file=_source.run / "scores/scores.json", fix=fix) from error
