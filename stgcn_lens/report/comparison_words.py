"""What a comparison of runs says, in sentences. Every number is one of the comparison's, rounded."""

from stgcn_lens.report.comparison import CURVES, path
from stgcn_lens.report.results import Results
from stgcn_lens.report.words import begun, percent, span, two


def headline(found: Results) -> list[str]:
    """Which network recognises most, and in which the classes come apart furthest."""
    tested = [entry for entry in found["runs"] if entry["test"]]
    said = []
    if tested:
        best, least = (pick(tested, key=lambda entry: entry["test"]["top1"]) for pick in (max, min))
        said.append(
            f"Of {len(found['runs'])} runs {best['name']} recognises most test clips "
            f"({_top1(best)}), {least['name']} fewest ({_top1(least)})."
        )
    low, high = (pick(found["runs"], key=_last) for pick in (min, max))
    ends = "do not overlap" if _apart(low, high) else "overlap"
    said.append(
        f"The kNN label error at the last block is lowest in {low['name']} ({_last_span(low)}) and highest in "
        f"{high['name']} ({_last_span(high)}); their intervals {ends}."
    )
    return said


def told(found: Results) -> dict[str, dict[str, str]]:
    """For every figure its `alt` and its `sentence`."""
    runs = ", ".join(entry["name"] for entry in found["runs"])
    entries = {
        "accuracy": {
            "alt": f"Top-1 accuracy on the test clips with intervals: {runs}.",
            "sentence": "; ".join(
                [f"{entry['name']} recognises {_top1(entry)}" for entry in found["runs"] if entry["test"]]
                + [f"{group['name']}: {_mean(group['top1'])}" for group in found["groups"] if group["top1"]]
            )
            + ".",
        }
    }
    for name, label in CURVES.items():
        entries[name] = {
            "alt": f"Line chart of the {label} over relative depth: {runs}.",
            "sentence": _curve(found, name),
        }
    if found["groups"]:
        groups = ", ".join(group["name"] for group in found["groups"])
        entries["seeds"] = {
            "alt": f"Line chart of the kNN label error over relative depth, mean and spread over seeds: {groups}.",
            "sentence": _seeds(found),
        }
    return entries


def _last(entry: Results) -> float:
    return float(path(entry)[-1]["knn_label_error"]["value"])


def _last_span(entry: Results) -> str:
    return f"{span(path(entry)[-1]['knn_label_error'])} at {entry['last_block']}"


def _apart(low: Results, high: Results) -> bool:
    a, b = (path(entry)[-1]["knn_label_error"] for entry in (low, high))
    return bool(a["ci_high"] < b["ci_low"])


def _top1(entry: Results) -> str:
    test = entry["test"]
    return f"{percent(test['top1'])} [{percent(test['top1_ci_low'])}, {percent(test['top1_ci_high'])}]"


def _mean(spread: Results) -> str:
    return f"mean {two(spread['value'])}, sd {two(spread['sd'])}"


def _curve(found: Results, name: str) -> str:
    """From the input to the last block, run by run."""
    said = []
    for entry in found["runs"]:
        first, last = path(entry)[0], path(entry)[-1]
        if name == "overlap_input":
            said.append(f"{entry['name']}: {two(last[name]['value'])} at {entry['last_block']}")
            continue
        begin, end = first[name]["value"], last[name]["value"]
        verb = "falls" if (end or 0) < (begin or 0) else "goes"
        said.append(f"{entry['name']} {verb} from {two(begin)} to {two(end)}")
    chance = {two(entry["chance"]) for entry in found["runs"]}
    note = f" Chance is {', '.join(sorted(chance))}." if name.endswith("label_error") else ""
    return f"{begun(CURVES[name])}, input to last block: {'; '.join(said)}.{note}"


def _seeds(found: Results) -> str:
    said = []
    for group in found["groups"]:
        last = path(group)[-1]["knn_label_error"]
        said.append(f"{group['name']} ({', '.join(group['runs'])}): {_mean(last)} at {group['last_block']}")
    return f"Runs that differ by their seed only, kNN label error: {'; '.join(said)}."
