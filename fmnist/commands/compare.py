"""compare: accuracy, time and size of what is trained, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click

from fmnist import settings
from fmnist.commands import options
from fmnist.commands.confirm import how_it_stands
from fmnist.commands.options import Places
from fmnist.commands.tables import Column, fitting, print_json, print_rows, room, table
from fmnist.compare.sentences import say_failed_to_learn
from fmnist.compare.summary import SPREAD, comparison
from fmnist.compare.sweep import find_sweep
from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.run import TIMES
from fmnist.words import digits

COMPARED = (
    *("model", "dataset", "source", "recipe", "seeds"),
    *("accuracy_mean", *SPREAD, "dead", *TIMES, "parameters", "device", "conditions", "measured_on"),
)
"""The fields of a row."""
MAX_WIDTH = 120
"""Of a table in a file: what is left out there is in the other formats."""


def _number(title: str, field: str, form: str | Callable[[float], str], *, optional: bool = True) -> Column:
    say = form.format if isinstance(form, str) else form

    def text(row: dict[str, Any]) -> str:
        return "" if row[field] is None else say(row[field])

    return Column(title, text, right=True, optional=optional)


def _text(title: str, *, shortens: bool = False, optional: bool = False) -> Column:
    return Column(title, lambda row: str(row[title]), shortens=shortens, optional=optional)


COLUMNS = (
    Column("model", lambda row: ARCHITECTURES[row["model"]].name, shortens=True),
    _text("source"),
    _text("recipe", shortens=True),
    Column("seeds", lambda row: str(len(row["seeds"])), right=True),
    _number("accuracy", "accuracy_mean", "{:.2%}", optional=False),
    _number("std", "accuracy_std", "{:.2%}"),
    _number("training", "train_seconds", "{:.1f} s", optional=False),
    _number("lowest", "accuracy_min", "{:.2%}"),
    _number("highest", "accuracy_max", "{:.2%}"),
    _number("parameters", "parameters", "{:,}"),
    _number("dead", "dead", "{}"),
    _number("evaluation", "eval_seconds", "{:.2f} s"),
    _number("per image", "image_seconds", lambda seconds: f"{digits(1e6 * seconds)} µs"),
    _number("one image", "single_seconds", lambda seconds: f"{digits(1e3 * seconds)} ms"),
    _text("device", shortens=True, optional=True),
    _text("conditions", optional=True),
)
"""Of the table, the most important first."""
COMMON = ("source", "recipe", "conditions")
"""What is said once where it is the same in all rows."""


@options.command("compare")
@click.option("--reference", is_flag=True, help="Include the reference runs that come with the project.")
@options.format_option("table", "csv", "json")
def compare(places: Places, reference: bool, format: str) -> None:
    """Compare accuracy, time and size of the trained models, averaged over seeds."""
    sources = ("own", "reference") if reference else ("own",)
    found = comparison(places.library, *sources).assign(recipe=lambda table: table["described"])[list(COMPARED)]
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    if format == "json":
        print_json(rows)
    elif format == "csv":
        print_rows([row | {"seeds": " ".join(map(str, row["seeds"]))} for row in rows], COMPARED, format)
    elif not rows:
        print(
            f"Nothing has been trained yet: run {settings.command('train')}, or see the reference runs with "
            f"{settings.command('compare --reference')}."
        )
    else:
        # A table for each data set and kind of images: accuracies on different ones are not to be compared.
        parts = [
            f"{info.title}{title}\n{_table(there)}"
            for info in DATASETS.values()
            for images, title in (("test", ""), ("held-out", ", on held-out images"))
            if (there := [row for row in rows if (row["dataset"], row["measured_on"]) == (info.id, images)])
        ]
        parts += [how_it_stands(swept) for name in DATASETS if (swept := find_sweep(places.library, name, "own"))]
        print("\n\n".join(parts))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    common = {name: str(rows[0][name]) for name in COMMON if len({row[name] for row in rows}) == 1}
    kinds = [(row["model"], row["source"], row["recipe"]) for row in rows]
    columns = [column for column in COLUMNS if column.title not in common]
    if len(set(kinds)) < len(kinds):  # Trained on a CPU and on a GPU: without the device the rows would look the same.
        columns = [replace(column, optional=column.optional and column.title != "device") for column in columns]
    dead = sum(row["dead"] for row in rows)
    if dead:  # Runs that have learned nothing are no matter of room.
        columns = [replace(column, optional=column.optional and column.title != "dead") for column in columns]
    width = room() or MAX_WIDTH
    columns = fitting(rows, columns, width)
    shown = [table(rows, columns, width), *(f"{name}: {value}" for name, value in common.items())]
    if not {"conditions"} & {*common, *(column.title for column in columns)}:  # There was no room.
        shown.append("times: not all can be compared (--format json says why)")
    if dead:
        shown.append(say_failed_to_learn(dead, sum(len(row["seeds"]) for row in rows)))
    return "\n".join(shown)
