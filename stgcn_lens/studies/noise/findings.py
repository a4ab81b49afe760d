"""What the numbers mean, in words, by rules that were written down before any run.

Finding 2 of arXiv 2312.07777 (noise hardly moves label smoothness). With Gaussian noise at 20 dB, the change of the
kNN label error of the last block, mean over seeds, paired over clips, with its 95 % interval: "confirmed" if the whole
interval lies within 0.03 of zero, "refuted" if it lies wholly beyond, else "undecided". A fall counts as a move, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from stgcn_lens.data.noise import NOISES
from stgcn_lens.studies.noise.results import by_kind, layer_of

LIMIT, DECIBELS = 0.03, 20.0
ALSO = "gaussian"


def finding_2(network: Mapping[str, Any], applied: str) -> dict[str, Any]:
    """The verdict on one network of the results, with the numbers that it rests on; `applied` is the config's."""
    layer = network["last_block"]
    some = by_kind(network["conditions"]).get(ALSO, ())
    change = next((layer_of(c, layer)["knn_label_error"]["change"] for c in some if c["level"] == DECIBELS), None)
    if change is None:
        text = f"undecided: Gaussian noise at {DECIBELS:g} dB was not run"
        return {"verdict": "undecided", "text": text, "value": None, "ci_low": None, "ci_high": None, "limit": LIMIT}
    low, high = change["ci_low"], change["ci_high"]
    within, beyond = low >= -LIMIT and high <= LIMIT, low > LIMIT or high < -LIMIT
    verdict = "confirmed" if within else "refuted" if beyond else "undecided"
    numbers = f"{change['value']:+.3f} [{low:+.3f}, {high:+.3f}]"
    text = (
        f"{verdict}: with noise on clips as {applied}, at {DECIBELS:g} dB, the kNN label error of {layer} moves by "
        f"{numbers}; the rule asks for at most {LIMIT:g}"
    )
    return {"verdict": verdict, "text": text, **change, "limit": LIMIT}


def sentences(network: Mapping[str, Any], not_run: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """One sentence a kind: what it does to answers, geometry and maps."""
    found = []
    clean, layer = network["clean"], network["last_block"]
    halves = {row["kind"]: row["text"] for row in network["accuracy_halves"]}
    breaks = {row["kind"]: row["text"] for row in network["geometry_breaks"] if row["layer"] == layer}
    for kind, some in by_kind(network["conditions"]).items():
        worst, row = some[-1], NOISES[kind]
        before, after = (layer_of(each, layer)["knn_label_error"]["value"] for each in (clean, worst))
        text = (
            f"{_named(row.what, worst['level'], row.unit)}: top-1 {clean['accuracy']['value']:.3f} -> "
            f"{worst['accuracy']['value']:.3f}, kNN label error of {layer} {before:.3f} -> {after:.3f}"
        )
        agreement = layer_of(worst, layer)["rank_correlation"]
        if agreement and agreement["value"] is not None:
            text += f", rank correlation of its maps with the clean ones {agreement['value']:.2f}"
        if kind in halves:
            text += f"; {halves[kind]}, {breaks[kind]}"
        found.append({"kind": kind, "text": text + "."})
    return [*found, *({"kind": row["kind"], "text": f"{row['kind']} was not run: {row['why']}."} for row in not_run)]


def compared(first: Mapping[str, Any], second: Mapping[str, Any], differences: Sequence[Mapping[str, Any]]) -> str:
    """One sentence on how two networks differ under noise."""
    better, worse = (
        sum((row["accuracy"]["ci_low"] > 0, row["accuracy"]["ci_high"] < 0)[side] for row in differences)
        for side in (0, 1)
    )
    most = max(differences, key=lambda row: abs(row["accuracy"]["value"]))
    at, names = NOISES[most["kind"]], (first["name"], second["name"])
    values = [
        next(c for c in network["conditions"] if (c["kind"], c["level"]) == (most["kind"], most["level"]))
        for network in (first, second)
    ]
    trained = "without noise" if second["noise_db"] is None else f"with noise down to {second['noise_db']:g} dB"
    level = "" if most["level"] is None else f" at {most['level']:g} {at.unit}"
    return (
        f"{names[1]} (trained {trained}) is more often right than {names[0]} under {better} of {len(differences)} "
        f"conditions and less often under {worse} (95 % intervals, paired over clips); they differ most under "
        f"{most['kind']}{level}, top-1 {values[1]['accuracy']['value']:.3f} against "
        f"{values[0]['accuracy']['value']:.3f}."
    )


def _named(what: str, level: float | None, unit: str | None) -> str:
    text = what[0].upper() + what[1:]
    return text if level is None else f"{text}, up to {level:g} {unit}"
