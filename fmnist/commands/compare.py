"""compare: accuracy, time and size of what is trained, over seeds."""

from __future__ import annotations

import argparse
import json

from fmnist.commands.arguments import Commands, add_command
from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Library, comparison
from fmnist.store.store import Store

COMPARED = (
    "model",
    "dataset",
    "source",
    "recipe",
    "seeds",
    "accuracy_mean",
    "accuracy_std",
    "accuracy_min",
    "accuracy_max",
    "dead",
    "train_seconds",
    "eval_seconds",
    "image_seconds",
    "single_seconds",
    "parameters",
    "device",
    "conditions",
)


def add(commands: Commands) -> None:
    sub = add_command(commands, "compare", compare, "accuracy, time and size of what is trained, over seeds")
    sub.add_argument("--format", choices=("table", "csv", "json"), default="table")
    sub.add_argument("--reference", action="store_true", help="with the runs that come with the project")


def compare(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    sources = ("own", "reference") if options.reference else ("own",)
    table = comparison(library, *sources).assign(recipe=lambda table: table["described"])[list(COMPARED)]
    if options.format == "json":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        print(json.dumps(rows, indent=2, default=lambda value: value.item()))
    elif options.format == "csv":
        table["seeds"] = table["seeds"].map(lambda seeds: " ".join(map(str, seeds)))
        print(table.to_csv(index=False), end="")
    elif table.empty:
        print(
            "Nothing is trained yet: python -m fmnist train. The runs that come with the project: compare --reference."
        )
    else:
        shown = table.assign(
            model=table["model"].map(lambda id: ARCHITECTURES[id].name),
            seeds=table["seeds"].map(len),
            train_seconds=table["train_seconds"].map("{:.1f}".format),
            eval_seconds=table["eval_seconds"].map("{:.2f}".format),
        )
        for column in ("accuracy_mean", "accuracy_std", "accuracy_min", "accuracy_max"):
            shown[column] = table[column].map(lambda share: "" if share != share else f"{share:.2%}")
        # A table for each data set: accuracies on different data are not to be compared.
        tables = [
            f"{info.title}\n{rows.drop(columns='dataset').to_string(index=False)}"
            for info in DATASETS.values()
            if len(rows := shown[shown["dataset"] == info.id])
        ]
        print("\n\n".join(tables))
    return 0
