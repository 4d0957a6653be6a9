"""The model card: what a model is, how it came about, what it reaches, and where it should not be trusted.

Its front matter follows Hugging Face's specification (huggingface/hub-docs, modelcard.md), so that the Hub shows data,
licence and measured accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from fmnist.compare import ensemble, statistics
from fmnist.export.chosen import LICENCES, Chosen, classes, dataset_title, file_name
from fmnist.export.source import source
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import measured_on
from fmnist.store.run import Run
from fmnist.words import listed

HUB_DATASETS = {"fashion-mnist": "zalando-datasets/fashion_mnist"}
"""Data sets by their name on the Hugging Face Hub."""

UNCONFIRMED = (
    "These images were held out of training to choose a setting by. What it reaches on the test images is for runs to "
    "say that took no part in choosing: `python -m fmnist confirm`."
)


def write(chosen: Chosen) -> str:
    """One card for all chosen runs, in Markdown.

    Raises:
        ExportError: the code of a model can't stand by itself.
    """
    names = [_title(group) for group in chosen.groups]
    parts = ["---", *_yaml(_front_matter(chosen)), "---", "", f"# {'; '.join(names)}", ""]
    for group in chosen.groups:
        parts += _group(chosen, group, heading=len(names) > 1)
    parts += ["## Loading", "", _loading(chosen), ""]
    return "\n".join(parts)


# --- Front matter ---


def _front_matter(chosen: Chosen) -> dict[str, Any]:
    datasets = {run.recipe.dataset: run for run in chosen.runs}
    licences = {LICENCES.get(name) for name in datasets}
    facts: dict[str, Any] = {}
    if len(licences) == 1 and None not in licences:
        facts["license"] = licences.pop()
    facts |= {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["pytorch", "safetensors", "image-classification", *datasets],
    }
    if known := [HUB_DATASETS[name] for name in datasets if name in HUB_DATASETS]:
        facts["datasets"] = known
    return facts | {"metrics": ["accuracy"], "model-index": [_index(group) for group in chosen.groups]}


def _index(group: Sequence[Run]) -> dict[str, Any]:
    """What a group reaches, as the Hub lists results."""
    first, accuracies = group[0], [run.finished_result.accuracy_to_choose_by for run in group]
    what = f"{measured_on([first.recipe]).capitalize()} accuracy"
    metrics = [
        {"type": "accuracy", "value": accuracy, "name": f"{what}, seed {run.recipe.seed}"}
        for run, accuracy in zip(group, accuracies, strict=True)
    ]
    if len(group) > 1:
        mean = sum(accuracies) / len(accuracies)
        name = f"{what}, mean of {len(group)} seeds"
        metrics.insert(0, {"type": "accuracy", "value": mean, "name": name})
    split = "train" if first.recipe.validation else "test"
    dataset = {"name": dataset_title(first), "type": first.recipe.dataset, "split": split}
    results = [{"task": {"type": "image-classification"}, "dataset": dataset, "metrics": metrics}]
    return {"name": _title(group), "results": results}


def _yaml(value: dict[str, Any] | list[Any], indent: str = "") -> list[str]:
    """Nested dictionaries and lists as lines of YAML in block style; each scalar as JSON, which YAML contains."""
    lines = []
    for name, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        start = f"{indent}-" if name is None else f"{indent}{name}:"
        if not isinstance(item, dict | list):
            lines.append(f"{start} {json.dumps(item, ensure_ascii=False)}")
        elif name is None:  # An item of a list begins on the line of its dash.
            first, *rest = _yaml(item, indent + "  ")
            lines += [f"{start} {first.lstrip()}", *rest]
        else:
            lines += [start, *_yaml(item, indent + "  ")]
    return lines


# --- Text ---


def _title(group: Sequence[Run]) -> str:
    """ "Model 2, seeds 0, 1 and 2", with the recipe where it is not the published one."""
    first, seeds = group[0].recipe, [str(run.recipe.seed) for run in group]
    said = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}"
    recipe = "" if first.group().published else f" ({first.describe()})"
    return f"{ARCHITECTURES[first.model].name}, {said}{recipe}"


def _group(chosen: Chosen, group: list[Run], *, heading: bool) -> list[str]:
    """All about the runs of one recipe."""
    architecture, title = ARCHITECTURES[group[0].recipe.model], dataset_title(group[0])
    code, name = source(architecture)
    known = group[0].multiply_adds
    uncounted = "its multiplications for an image are not counted"
    counted = uncounted if known is None else f"{known:,} multiplications with an addition for an image"
    parts = [f"## {_title(group)}", ""] if heading else []
    parts += [
        f"An image classifier for {title}: grey images of 28 × 28 pixels, {len(classes(group[0]))} classes "
        f"({', '.join(classes(group[0]))}).",
        "",
        f"{'###' if heading else '##'} Architecture",
        "",
        f"{architecture.name}: {architecture.layers}. {group[0].parameters:,} parameters, {counted}. `{name}()` builds "
        "it:",
        "",
        "```python",
        code.rstrip(),
        "```",
        "",
        "Input: float32 (N, 1, 28, 28), grey values from 0 (background) to 1. Output: logits (N, "
        f"{len(classes(group[0]))}); their softmax are the probabilities.",
        "",
        f"{'###' if heading else '##'} Training",
        "",
        *_training(chosen, group),
        f"{'###' if heading else '##'} Results",
        "",
        *_results(chosen, group),
        f"{'###' if heading else '##'} Limits",
        "",
        *_limits(group),
    ]
    return parts


def _training(chosen: Chosen, group: Sequence[Run]) -> list[str]:
    run = group[0]
    recipe = run.recipe
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    threads = f", {run.threads} thread{'s' if run.threads != 1 else ''}" if run.device == "cpu" else ""
    held_out = f", of which {recipe.validation:,} images were held out" if recipe.validation else ""
    facts = {
        "data": f"{dataset_title(run)}, training set{held_out}",
        "loss": "cross-entropy",
        "recipe": recipe.describe(),
        "device": f"{run.where} of {run.machine}{threads}" if run.device == "cpu" else run.where,
        "versions": versions,
    }
    if data := chosen.data(run):
        counts = f"{len(data.train_images):,} training images{held_out}, and {len(data.test_images):,} test images"
        facts["data"] = f"{dataset_title(run)}, {counts}, SHA-256 `{data.fingerprint}`"
        if recipe.key(data.fingerprint) != run.key:
            facts["data"] += " (the data at hand when this was written; the run's key says that it was made with "
            facts["data"] += "other data, or by another version of the code)"
    if recipe.keep == "best":
        epochs = listed([f"{one.kept_epoch} (seed {one.recipe.seed})" for one in group])
        facts["weights"] = f"of the epoch that was the best on the held-out images: {epochs}"
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), ""]


def _results(chosen: Chosen, group: Sequence[Run]) -> list[str]:
    images, held_out = measured_on([group[0].recipe]), group[0].recipe.validation
    parts = [
        f"| file | seed | {images} accuracy | 95% interval | {images} loss | training | key |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in group:
        result, count = run.finished_result, held_out or len(chosen.library.logits(run))
        accuracy = result.accuracy_to_choose_by
        low, high = statistics.wilson(round(accuracy * count), count)
        parts.append(
            f"| `{file_name(run)}.safetensors` | {run.recipe.seed} | {accuracy:.2%} | {low:.2%} to {high:.2%} | "
            f"{result.loss_to_choose_by:.4f} | {result.train_seconds:.1f} s | `{run.key}` |"
        )
    parts += [
        "",
        f"The interval of a run is Wilson's: for other {images} images of the same kind, for this very model.",
    ]
    accuracies = [run.finished_result.accuracy_to_choose_by for run in group]
    if interval := statistics.accuracy_interval(accuracies):
        mean = sum(accuracies) / len(accuracies)
        parts += [
            "",
            f"Over {len(group)} seeds: mean accuracy **{mean:.2%}**, 95% interval {interval[0]:.2%} to "
            f"{interval[1]:.2%} (Student's t: where the mean of very many seeds may lie), from {min(accuracies):.2%} "
            f"to {max(accuracies):.2%}.",
        ]
    if held_out:
        return [*parts, "", UNCONFIRMED, ""]
    if len(group) > 1 and (data := chosen.data(group[0])):
        together = ensemble.on_test_images(chosen.library, group, data.test_labels).accuracy
        parts += ["", f"The mean of their probabilities, by which `predict.py` answers: **{together:.2%}** right."]
    recalls = pd.DataFrame([chosen.recalls(run) for run in group])
    if recalls.empty:
        return [*parts, "", "The recall of each class was not worked out: the test images were not at hand.", ""]
    over = "" if len(group) == 1 else f" (mean of {len(group)} seeds; lowest and highest)"
    parts += ["", f"Recall of each class{over}:", "", "| class | recall |", "|---|---|"]
    for name, shares in recalls.items():
        spread = "" if len(group) == 1 else f" ({shares.min():.1%} to {shares.max():.1%})"
        parts.append(f"| {name} | {shares.mean():.1%}{spread} |")
    return [*parts, ""]


def _limits(group: Sequence[Run]) -> list[str]:
    title = dataset_title(group[0])
    parts = [
        f"- Trained and tested on {title} alone: small grey images, light on a black background, one thing each, "
        "centred. For a photo it has to be brought into this form first; even then the accuracy above does not hold.",
        "- It always answers with one of its classes, for any picture whatever, and its probabilities have not "
        "been calibrated.",
        "- The figures are those of one training per seed; other processors and versions give slightly other weights.",
    ]
    if group[0].recipe.dataset == "sample":
        parts.append("- The data are generated drawings: the figures say nothing about real images.")
    parts += [f"- Seed {run.recipe.seed} has a problem: {run.trouble}." for run in group if run.trouble]
    return [*parts, ""]


def _loading(chosen: Chosen) -> str:
    run = chosen.groups[0][0]
    _, name = source(ARCHITECTURES[run.recipe.model])
    return (
        "With PyTorch and safetensors, and the code under “Architecture”:\n\n"
        "```python\n"
        "from safetensors.torch import load_file\n\n"
        f"model = {name}()\n"
        f'model.load_state_dict(load_file("{file_name(run)}.safetensors"))\n'
        "model.eval()\n"
        "```"
    )
