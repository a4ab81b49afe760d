"""What the numbers say, in words. Every number in a sentence is one of the results, rounded."""

from typing import Any

from stgcn_lens.report.results import MEASURES, Results
from stgcn_lens.report.words import escaped, percent, span, two


def headline(results: Results) -> list[str]:
    """Two sentences: how well the network does, and what its layers do (or what is missing to say so)."""
    return [_accuracy(results), _depth(results)]


def figures(results: Results) -> dict[str, dict[str, str]]:
    """For every figure that can be drawn: what it shows (`alt`) and what it says (`sentence`)."""
    found = {}
    if results["layers"]:
        layers = f"over {len(results['layers'])} layers, from {_ends(results)}"
        found["label_error"] = {
            "alt": f"Line chart of the kNN, NNK and Laplacian label error {layers}, with intervals and chance level.",
            "sentence": _curve(results),
        }
        found["neighbours"] = {
            "alt": f"Line chart of the mean number of NNK neighbours {layers}.",
            "sentence": _dimension(results),
        }
        found["overlap"] = {
            "alt": f"Line chart of the overlap of neighbourhoods with the input and with the previous layer {layers}.",
            "sentence": _overlap(results),
        }
    for layer, table in (results["saliency"] or {"tables": {}})["tables"].items():
        rows = len(results["model"]["classes"])
        found[f"class_by_joint_{layer}"] = {
            "alt": f"Heat map of the mean saliency at {layer}: {rows} classes by {results['data']['joints']} joints.",
            "sentence": _joints(layer, table),
        }
    if results["localisation"]:
        found["localisation"] = {
            "alt": "Line chart of the average precision of saliency against planted evidence for every block, "
            "with a random map and joint speed as controls.",
            "sentence": _localisation(results),
        }
    if results["confusion"]:
        found["confusion"] = {
            "alt": f"Confusion matrix of {results['confusion']['n']} test clips, {results['data']['classes']} classes.",
            "sentence": _mistakes(results),
        }
    if results["training"]:
        found["training"] = {
            "alt": "Line charts of training loss and accuracy over the epochs.",
            "sentence": _training(results),
        }
    return found


def neighbours(sample: dict[str, Any]) -> str:
    """How a clip's neighbours change with depth."""
    parts = [f"{item['same']} of {item['k']} at {item['layer']}" for item in sample["neighbours"]]
    return f"Nearest clips that share its class: {', '.join(parts)}."


def summary(results: Results) -> str:
    """A few lines of Markdown for a README or a pull request."""
    found = results["figures"]
    lines = [f"# {escaped(results['title'])}", "", *(escaped(sentence) for sentence in results["headline"]), ""]
    lines += [f"- {escaped(entry['sentence'])}" for name, entry in found.items() if not name.startswith("class_by_")]
    if results["saliency"] and results["saliency"]["tables"]:
        lines.append(f"- {escaped(found['class_by_joint_' + results['saliency']['shown']]['sentence'])}")
    for finding in (each for found_by in results["findings"].values() for each in found_by):
        lines.append(f"- {escaped(finding['name'])} **{finding['verdict']}**: {escaped(finding['why'])}")
    lines += ["", "Not shown:", ""]
    lines += [
        f"- {escaped(item['part'])} ({escaped(item['why'])}{'; `' + item['command'] + '`' if item['command'] else ''})"
        for item in results["missing"]
    ]
    return "\n".join(lines) + "\n"


def _accuracy(results: Results) -> str:
    model, data = results["model"], results["data"]
    if not results["metrics"]:
        return (
            f"{model['name']} with {model['parameters']} parameters has classified {data['clips']} clips whose classes "
            "are not known, so this page cannot say how well."
        )
    split = "test" if "test" in results["metrics"] else next(iter(results["metrics"]))
    scores = results["metrics"][split]
    by = f" (split by {data['split_by']})" if data["split_by"] and split == "test" else ""
    interval = f"[{percent(scores['top1_ci_low'])}, {percent(scores['top1_ci_high'])}]"
    return (
        f"{model['name']} with {model['parameters']} parameters recognises {percent(scores['top1'])} {interval} of "
        f"{scores['n']} {split} clips{by} in {data['classes']} classes."
    )


def _depth(results: Results) -> str:
    curve = results["curve"]
    if curve is None:
        return "The layers have not been analysed yet, so this page cannot say what they do."
    knn = curve["knn"]
    verb = "falls" if knn["last"]["value"] < knn["first"]["value"] else "does not fall: it goes"
    apart = (
        "the intervals do not overlap"
        if knn["apart"]
        else "the intervals overlap, so this run alone does not settle it"
    )
    text = (
        f"kNN label error {verb} from {span(knn['first'])} at the {curve['first_layer']} to {span(knn['last'])} at "
        f"{curve['last_layer']} (ratio {two(knn['ratio'])}; {apart}; chance {two(knn['first']['chance'])})"
    )
    if not results["localisation"]:
        return text + "."
    return f"{text}; {_evidence(results['localisation'][-1])}."


def _evidence(scores: dict[str, Any]) -> str:
    """What the last layer's saliency is worth against both controls."""
    better = {name: scores[f"difference_to_{name}"]["ci_low"] > 0 for name in ("random", "motion")}
    text = f"at finding the planted evidence (average precision {two(scores['average_precision']['value'])}) the "
    text += f"saliency of {scores['layer']} "
    random, motion = (
        f"a random map ({two(scores['random']['value'])})",
        f"joint speed ({two(scores['motion']['value'])})",
    )
    if better["random"] and better["motion"]:
        return f"{text}beats both {random} and {motion}"
    if better["random"]:
        return f"{text}beats {random}, but not plain {motion}"
    return f"{text}does not beat {random}; plain {motion}"


def _curve(results: Results) -> str:
    curve = results["curve"]
    if curve is None:
        return "Label error of every layer; 0 means that all neighbours share the clip's class."
    ratios = ", ".join(f"{name} {two(curve[key]['ratio'])}" for key, name in MEASURES.items())
    step = curve["knn"]["largest_step"]
    rises = curve["knn"]["rises"]
    way = "falls at every step" if rises == 0 else f"rises at {rises} of {curve['knn']['steps']} steps"
    if step["drop"] > 0:
        way += f"; its largest drop, {two(step['drop'])}, is at {step['layer']}"
    text = (
        f"Error at {curve['last_layer']} relative to the {curve['first_layer']}: {ratios}. The kNN error {way}. "
        f"Bands are {results['confidence']:.0%} intervals."
    )
    if curve["knn_floor"]:
        text += f" Some classes have no more than k clips: perfect neighbours would leave {two(curve['knn_floor'])}."
    return text


def _dimension(results: Results) -> str:
    curve = results["curve"]
    if curve is None:
        return "Mean number of neighbours that NNK keeps, a measure of local dimension."
    return (
        f"A clip keeps {two(curve['neighbours_first'])} NNK neighbours on average at the {curve['first_layer']} and "
        f"{two(curve['neighbours_last'])} at {curve['last_layer']}: a measure of local dimension."
    )


def _overlap(results: Results) -> str:
    curve = results["curve"]
    if curve is None:
        return "Share of neighbours (Jaccard) that a layer has in common with another."
    return (
        f"Neighbourhoods at {curve['last_layer']} share {two(curve['overlap_last']['value'])} (Jaccard) with those of "
        "the input; one means the same neighbours."
    )


def _joints(layer: str, table: dict[str, Any]) -> str:
    named = [entry for entry in table["top"] if entry["joints"]]
    if table["alike"]:
        return f"At {layer} the maps are the same for every joint: the network does not keep joints apart there."
    if not named:
        return f"No class has a clip with saliency at {layer}."
    sharpest = max(named, key=lambda entry: entry["joints"][0]["value"])
    leader, common = sharpest["joints"][0], table["common_leader"]
    others = f"; {table['distinct_leaders']} joints lead one or more" if table["distinct_leaders"] > 1 else ""
    return (
        f"At {layer}, {common['joint']} is the most salient joint in {common['classes']} of {table['classes']} "
        f"classes{others}. The highest mean is "
        f"{leader['joint']} in “{sharpest['class_name']}” ({two(leader['value'])})."
    )


def _localisation(results: Results) -> str:
    entries = results["localisation"]
    beats = [entry["layer"] for entry in entries if entry["difference_to_random"]["ci_low"] > 0]
    last = entries[-1]
    which = "no layer" if not beats else "every layer" if len(beats) == len(entries) else ", ".join(beats)
    return (
        f"Above a random map, with its whole interval: {which}. At {last['layer']} the average precision is "
        f"{span(last['average_precision'])} against {two(last['random']['value'])} for a random map and "
        f"{two(last['motion']['value'])} for joint speed, on {last['n']} clips."
    )


def _mistakes(results: Results) -> str:
    confusion = results["confusion"]
    if not confusion["mistakes"]:
        return f"All {confusion['n']} test clips are recognised."
    pairs = "; ".join(f"“{p['true']}” taken for “{p['predicted']}” ({p['n']})" for p in confusion["mistakes"])
    return f"{confusion['wrong']} of {confusion['n']} test clips are mistaken; most often {pairs}."


def _training(results: Results) -> str:
    training = results["training"]
    first, last = training["first"], training["last"]
    verb = "falls" if last["loss"] < first["loss"] else "does not fall: it goes"
    return (
        f"Loss {verb} from {two(first['loss'])} after epoch {first['epoch']} to {two(last['loss'])} after epoch "
        f"{last['epoch']}; {percent(last['top1'])} of the (augmented) training clips are recognised at the end."
    )


def _ends(results: Results) -> str:
    return f"{results['layers'][0]['layer']} to {results['layers'][-1]['layer']}"
