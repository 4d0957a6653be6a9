"""train: queue runs as the Train page does, see that a trainer works on them, and show how it goes."""

from __future__ import annotations

import click

from fmnist.commands import options, say
from fmnist.commands.options import Places
from fmnist.commands.progress import train_queued
from fmnist.commands.results import report
from fmnist.commands.tables import Column, print_rows, room, table
from fmnist.grid import Grid
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe
from fmnist.training import launcher
from fmnist.training.dry_run import Plan

PUBLISHED = Recipe("0")
PLAN = ("model", "optimizer", "learning_rate", "batch_size", "epochs", "seeds", "trained", "seconds")
"""The fields of a plan."""


@options.command("train", changes=True)
@options.models_option("Models, such as 0,1,2 or a custom one.")
@click.option("--seeds", type=options.SEEDS, default="0", show_default=True, help="Seeds, such as 0-4.")
@click.option(
    "--epochs",
    type=options.EPOCHS,
    default=str(PUBLISHED.epochs),
    show_default=True,
    help="Numbers of epochs, such as 1,3.",
)
@click.option(
    "--lr",
    "learning_rates",
    type=options.LEARNING_RATES,
    default=str(PUBLISHED.learning_rate),
    show_default=True,
    help="Learning rates, such as 0.01,0.1.",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    type=options.BATCH_SIZES,
    default=str(PUBLISHED.batch_size),
    show_default=True,
    help="Batch sizes, such as 32,64.",
)
@click.option(
    "--optimizer",
    "optimizers",
    type=options.OPTIMIZER_LIST,
    default=PUBLISHED.optimizer,
    show_default=True,
    help=f"Any of {', '.join(OPTIMIZERS)}.",
)
@options.dataset_option()
@click.option(
    "--device",
    type=click.Choice(list(DEVICES)),
    default=PUBLISHED.device,
    show_default=True,
    help="Where to train.",
)
@click.option("--again", is_flag=True, help="Retrain runs that already exist.")
@options.ray_option
@click.option("--dry-run", is_flag=True, help="Only show what would be trained, and how long it would take.")
@options.quiet_option
@options.format_option("table", "csv", "json")
def train(
    places: Places,
    models: list[str],
    seeds: list[int],
    epochs: list[int],
    learning_rates: list[float],
    batch_sizes: list[int],
    optimizers: list[str],
    dataset: str,
    device: str,
    again: bool,
    cluster: str | None,
    dry_run: bool,
    quiet: bool,
    format: str,
) -> int:
    """Train models, or show their results if they are already trained.

    Where a list is given, every combination is trained.
    """
    runs = places.library.own
    grid = Grid(models, seeds, epochs, batch_sizes, learning_rates, optimizers, dataset, device)
    for model in map(ARCHITECTURES.__getitem__, models):
        if model.remark:
            say(f"{model.name}: {model.remark}")
    grid.recipes()  # A grid that can't be trained is said to be so before data are read.
    plan = Plan(places.library, grid, places.load(dataset), launcher.slots_of(runs, cluster), again)
    if (len(plan.todo) > 1 or dry_run) and not quiet and (told := plan.say()):
        say(told)
    if dry_run:
        _print_plan(plan, format)
        return 0
    launcher.recover(runs)  # What a trainer that is gone has left behind is taken up.
    queued = runs.enqueue(plan.keyed, places.data, again=again, cluster=cluster)
    train_queued(runs, [id for id, needed in queued if needed], cluster, quiet=quiet)
    return report(runs, queued, format, sweep=grid.is_sweep)


def _print_plan(plan: Plan, format: str) -> None:
    found = plan.table()
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    if format != "table":
        print_rows(rows, PLAN, format)
        return
    titles = {"learning_rate": "lr", "batch_size": "batch"}

    def column(field: str) -> Column:
        return Column(titles.get(field, field), lambda row: str(row[field]), field not in ("model", "optimizer"))

    columns = [column(field) for field in PLAN[:-1]]
    columns.append(Column("seconds", lambda row: "?" if row["seconds"] is None else f"{row['seconds']:.0f}", True))
    print(table(rows, columns, room()))
