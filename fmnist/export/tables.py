"""CSV and Parquet: the runs, their curves, and every answer for the test images, as tables. docs/export.md explains
the columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from fmnist import metrics
from fmnist.export import csv_file
from fmnist.export.chosen import Chosen, classes
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.run import TIMES, Run

MEASURED = ("test_accuracy", "test_loss", "validation_accuracy", "validation_loss", "kept_epoch", "dead", *TIMES)
"""Fields of a result that are columns of the table of runs."""
WITHOUT_LABELS = "The test images are not at hand: the true labels are left empty in the table of predictions."


def write_csv(chosen: Chosen, folder: Path) -> list[str]:
    """runs.csv, curves.csv, predictions.csv and classes.csv; numbers with every digit."""
    for name, table in _tables(chosen):
        (folder / f"{name}.csv").write_bytes(csv_file.as_file(table))
    # A run after the other: the answers of many runs are long.
    with (folder / "predictions.csv").open("w", encoding=csv_file.ENCODING, newline="") as file:
        for number, run in enumerate(chosen.runs):
            answers = csv_file.without_formulas(predictions(chosen, run))
            answers.to_csv(file, header=number == 0, index=False)
    return _remarks(chosen)


def write_parquet(chosen: Chosen, folder: Path) -> list[str]:
    """The same as .parquet."""
    answers = pd.concat([predictions(chosen, run) for run in chosen.runs], ignore_index=True)
    for name, table in [*_tables(chosen), ("predictions", answers)]:
        table.to_parquet(folder / f"{name}.parquet", engine="pyarrow", index=False)
    return _remarks(chosen)


def _tables(chosen: Chosen) -> Iterator[tuple[str, pd.DataFrame]]:
    labels = {source: store.labels() for source, store in chosen.library.stores.items()}
    runs = pd.DataFrame([row(run, labels[run.source].get(run.id, NO_LABEL)) for run in chosen.runs])
    # Whole numbers, though some may not be known.
    whole = {"multiply_adds": "Int64", "kept_epoch": "Int64"}
    yield "runs", runs.astype(whole | dict.fromkeys(("validation_accuracy", "validation_loss"), float))
    yield "curves", chosen.library.history(chosen.runs)
    named = {run.recipe.dataset: classes(run) for run in chosen.runs}
    yield (
        "classes",
        pd.DataFrame(
            [(dataset, label, name) for dataset, names in named.items() for label, name in enumerate(names)],
            columns=["dataset", "label", "name"],
        ),
    )


def row(run: Run, label: Label) -> dict[str, object]:
    """All that is kept of a run besides its curves and answers: the recipe, where it ran, the result, and its label."""
    result = run.finished_result
    recipe = vars(run.recipe) | {"device_asked": run.recipe.device}
    del recipe["device"]
    times = {
        name: pd.to_datetime(getattr(run, name), unit="s", utc=True) for name in ("created", "started", "finished")
    }
    return (
        {"run": run.address, "source": run.source, "key": run.key, "model_name": ARCHITECTURES[run.recipe.model].name}
        | recipe
        | {name: getattr(run, name) for name in ("device", "threads", "machine")}
        | {f"version_{name}": version for name, version in run.versions.items()}
        | {name: getattr(run, name) for name in ("parameters", "multiply_adds", "steps")}
        | times
        | {name: getattr(result, name) for name in MEASURED}
        | {
            "runs_at_once": result.at_once,
            "never_predicted": " ".join(map(str, result.never_predicted)),
            "zero_layers": " ".join(result.zero_layers),
            "remarks": "; ".join(
                filter(None, [run.trouble, "multiply-adds not counted" * (run.multiply_adds is None)])
            ),
        }
        | vars(label)
    )


def predictions(chosen: Chosen, run: Run) -> pd.DataFrame:
    """A row for each test image: run, image (its number), label (<NA> without the data), predicted, and
    probability_0 ... of each class (float64, from the logits as they are kept, in float16: the predicted class has the
    largest one, perhaps with others)."""
    logits, data = chosen.library.logits(run), chosen.data(run)
    count = len(logits)
    labels = pd.array(data.test_labels if data else [None] * count, dtype="Int64")
    probabilities = metrics.softmax(logits)
    return pd.DataFrame(
        {
            "run": run.address,
            "image": np.arange(count),
            "label": labels,
            "predicted": chosen.library.predictions(run).astype(np.int64),
        }
        | {f"probability_{label}": probabilities[:, label] for label in range(probabilities.shape[1])}
    )


def _remarks(chosen: Chosen) -> list[str]:
    return [] if all(chosen.data(run) for run in chosen.runs) else [WITHOUT_LABELS]
