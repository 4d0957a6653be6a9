"""confirm: train the setting that a sweep has chosen with new seeds, and the published recipe beside it."""

from __future__ import annotations

from typing import Any

import click

from fmnist import settings
from fmnist.commands import CommandError, options, say
from fmnist.commands.options import Places
from fmnist.commands.plan import print_plan
from fmnist.commands.progress import train_queued
from fmnist.commands.tables import print_json
from fmnist.compare import confirmation
from fmnist.compare.confirmation import USUAL_SEEDS
from fmnist.compare.sweep import Sweep, find_sweep
from fmnist.data.catalog import DATASETS, DEFAULT
from fmnist.grid import Several
from fmnist.store.run import Status
from fmnist.training import launcher
from fmnist.training.dry_run import Plan


@options.command("confirm", changes=True)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=USUAL_SEEDS,
    show_default=True,
    help="How many new seeds: of the setting, and of the published recipe.",
)
@options.dataset_option()
@options.ray_option
@click.option("--dry-run", is_flag=True, help="Only show what would be trained, and how long it would take.")
@options.quiet_option
@options.format_option("table", "json")
def confirm(
    places: Places, seeds: int, dataset: str, cluster: str | None, dry_run: bool, quiet: bool, format: str
) -> int:
    """Train a sweep's best setting with new seeds: its accuracy is what to expect.

    The published recipe is trained beside it, for comparison; what is trained already counts.
    """
    library = places.library
    swept = find_sweep(library, dataset, "own")
    if swept is None:
        raise CommandError(
            f"There is no sweep on {DATASETS[dataset].title} to confirm: train one, such as "
            f"{settings.command('train --lr 0.01,0.1 --seeds 0-2')}{_on(dataset)}"
        )
    code = 0
    if todo := confirmation.to_train(library, swept.recipe_that_confirms, seeds):
        data, slots = places.load(dataset), launcher.slots_of(library.own, cluster)
        plan = Plan(library, Several(tuple(todo)), data, slots, cluster=cluster)
        if not quiet:
            say(plan.say())
        if dry_run:
            print_plan(plan, format)
            return 0
        launcher.recover(library.own)
        queued = library.own.enqueue(plan.keyed, places.data, cluster=cluster, earlier=plan.earlier)
        train_queued(library.own, [id for id, needed in queued if needed], cluster, quiet=quiet)
        runs = [library.own.run(id) for id, _ in queued]
        code = int(not all(run and run.status == Status.DONE for run in runs))
    if dry_run and format == "json":
        print_json([])  # A plan of nothing.
    elif format == "json":
        print_json(_facts(swept))
    else:
        print(how_it_stands(swept))
    return code


def how_it_stands(swept: Sweep) -> str:
    """Which setting is the best, whether that is confirmed, and how to do so: sentences."""
    said = f"{swept.answer()} {swept.standing()}".replace("**", "")  # Of Markdown nothing else occurs.
    if swept.confirmation:
        return said
    dataset = swept.chosen.recipe.dataset
    return f"{said} To do so: {settings.command('confirm')}{_on(dataset)}"


def _on(dataset: str) -> str:
    """The option that names a data set, where it has to be named."""
    return "" if dataset == DEFAULT else f" --dataset {dataset}"


def _facts(swept: Sweep) -> dict[str, Any]:
    """Shares of 1; what is not known is null."""
    best, found = swept.table.iloc[0], swept.confirmation
    difference = found.difference if found else None
    return {
        "model": swept.chosen.recipe.model,
        "recipe": swept.chosen.recipe.describe(),
        "settings": len(swept.table),
        "chosen_on": swept.images,
        "chosen_accuracy": float(best["accuracy_mean"]),
        "chosen_seeds": [run.recipe.seed for run in swept.chosen.runs],
        "not_told_apart": swept.not_told_apart,
        "confirmed_accuracy": found and found.accuracy,
        "confirmed_interval": found and found.interval,
        "confirmed_seeds": list(found.chosen) if found else [],
        "published_accuracies": list(found.published.values()) if found else [],
        "points_above_published": 100 * difference.mean if difference else None,
        "interval_of_points": [100 * difference.low, 100 * difference.high] if difference else None,
        "better_than_published": found and found.better,
    }
