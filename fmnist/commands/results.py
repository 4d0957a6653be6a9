"""What the commands tell of runs: a sentence, a row, or everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fmnist.commands.tables import print_json, print_rows
from fmnist.recipe import LATER
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.run import Run, Status
from fmnist.store.store import Store
from fmnist.words import moment

FIELDS = (
    *("id", "source", "status", "model", "seed", "dataset", "epochs", "batch_size", "learning_rate", "optimizer"),
    *("device", "step", "steps", "accuracy", "train_seconds", "created", "started", "finished", "error"),
    *("name", "note", *LATER, "validation_accuracy"),
)
"""Of `row`."""
TIMES = ("created", "started", "finished")


def facts(run: Run, label: Label) -> dict[str, Any]:
    """Everything that is known of a run, as JSON takes it."""
    known = asdict(run) | _times(run) | asdict(label)
    known |= {"result": json.loads(run.result.to_json())} if run.result else {}
    return {name: value for name, value in known.items() if name not in ("updated", "stop")}


def row(run: Run, label: Label) -> dict[str, Any]:
    """What is asked of a run most often: `FIELDS`.

    Of a run that holds out images, to choose by, there is no accuracy on the test images: somebody would choose by it.
    """
    known = vars(run) | vars(label) | vars(run.recipe) | {"device": run.device or run.recipe.device} | _times(run)
    known |= {
        "accuracy": run.result.test_accuracy if run.result and not run.recipe.validation else None,
        "validation_accuracy": run.result.validation_accuracy if run.result else None,
        "train_seconds": run.result.train_seconds if run.result else None,
    }
    return {name: known[name] for name in FIELDS}


def standing(run: Run) -> str:
    """What a run has reached, in a word or two."""
    return reached_accuracy(run) if run.result else f"{run.step:,}/{run.steps or 0:,} steps"


def reached_accuracy(run: Run) -> str:
    """Of a finished run: "83.57%", "84.10% of the held-out images", or "10.00%, failed to learn"."""
    accuracy = f"{run.finished_result.accuracy_to_choose_by:.2%}"
    images = " of the held-out images" if run.recipe.validation else ""
    return f"{accuracy}{images}{', failed to learn' if run.finished_result.dead else ''}"


def sentence(run: Run, *, known: bool, sweep: bool) -> str:
    """How a run has ended.

    Args:
        known: whether it was trained before anybody asked.
        sweep: whether the recipe tells it from others.
    """
    name = f"{run.name}, {run.recipe.describe()}" if sweep else run.name
    if run.result:
        cached = " (trained before)" if known else ""
        return f"{name}: {reached_accuracy(run)}, {run.result.train_seconds:.1f} s{cached}"
    return f"{name}: {run.status.word}. {run.error or ''}".strip()


def report(store: Store, asked: Sequence[tuple[int, bool]], format: str, *, sweep: bool) -> int:
    """Print how runs have ended that somebody asked for.

    Args:
        asked: their ids, and whether each had to be trained, as `Store.enqueue` gives them.

    Returns:
        The exit code: 0 if all of them are done.
    """
    found = [(store.run(id), trained) for id, trained in asked]
    code = int(not all(run and run.status == Status.DONE for run, _ in found))
    if format == "table":
        for run, trained in found:
            gone = "A run was deleted while it was being trained."
            print(sentence(run, known=not trained, sweep=sweep) if run else gone)
        return code
    labelled = [
        (run, labels.get(run.id, NO_LABEL), trained) for labels in [store.labels()] for run, trained in found if run
    ]
    if format == "csv":
        print_rows([row(run, label) for run, label, _ in labelled], FIELDS, format)
    else:
        print_json([facts(run, label) | {"trained_before": not trained} for run, label, trained in labelled])
    return code


def _times(run: Run) -> dict[str, str | None]:
    return {name: value and moment(value, "seconds") for name in TIMES for value in [getattr(run, name)]}
