"""train: queue runs as the Train page does, see that a scheduler works on them, and show how it goes."""

from __future__ import annotations

from typing import Any

import click

from fmnist.commands import options, say
from fmnist.commands.confirm import how_it_stands
from fmnist.commands.options import Places
from fmnist.commands.plan import print_plan
from fmnist.commands.progress import train_queued
from fmnist.commands.results import report
from fmnist.compare.sweep import find_sweep
from fmnist.grid import AUTOMATIC, MAX_HELD_OUT, Grid
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, MAX_SHIFT, OPTIMIZERS, Recipe, RecipeError
from fmnist.training import launcher
from fmnist.training.dry_run import Plan

PUBLISHED = Recipe("0")


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
@click.option(
    "--weight-decay",
    "weight_decays",
    type=options.WEIGHT_DECAYS,
    default="0",
    show_default=True,
    help="Weight decays of Adam (which then trains as AdamW), such as 0,0.01.",
)
@click.option(
    "--schedule",
    "schedules",
    type=options.SCHEDULE_LIST,
    default=PUBLISHED.schedule,
    show_default=True,
    help="constant, or cosine: the learning rate falls to zero.",
)
@click.option(
    "--shift",
    "shifts",
    type=options.SHIFTS,
    default="0",
    show_default=True,
    help=f"By how many pixels images are moved at most, up to {MAX_SHIFT}.",
)
@click.option(
    "--mirror",
    "mirrors",
    type=options.MIRROR_LIST,
    default="no",
    show_default=True,
    help="yes: each image is mirrored with a probability of 1/2, anew in each epoch.",
)
@click.option(
    "--validation",
    "validations",
    type=options.HELD_OUT,
    default=AUTOMATIC,
    show_default=True,
    help=f"How many training images are held out, to choose by. {AUTOMATIC}: {MAX_HELD_OUT:,} in a sweep (at most a "
    "sixth of them), and otherwise none.",
)
@click.option(
    "--keep",
    "keeps",
    type=options.KEPT_LIST,
    default=PUBLISHED.keep,
    show_default=True,
    help="The weights of the last epoch, or of the best one on the held-out images.",
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
    dataset: str,
    device: str,
    again: bool,
    cluster: str | None,
    dry_run: bool,
    quiet: bool,
    format: str,
    **lists: list[Any],
) -> int:
    """Train models, or show their results if they are already trained.

    Where a list is given, every combination is trained.
    """
    runs = places.library.own
    grid = _grid(dataset=dataset, device=device, **lists)
    for model in map(ARCHITECTURES.__getitem__, grid.models):
        if model.remark:
            say(f"{model.name}: {model.remark}")
    plan = Plan(places.library, grid, places.load(dataset), launcher.slots_of(runs, cluster), again, cluster)
    if (len(plan.todo) > 1 or dry_run) and not quiet and (told := plan.say()):
        say(told)
    if dry_run:
        print_plan(plan, format)
        return 0
    launcher.recover(runs)  # What a scheduler that is gone has left behind is taken up.
    queued = runs.enqueue(plan.keyed, places.data, again=again, cluster=cluster, earlier=plan.earlier)
    train_queued(runs, [id for id, needed in queued if needed], cluster, quiet=quiet)
    code = report(runs, queued, format, sweep=grid.is_sweep)
    if grid.is_sweep and format == "table" and (swept := find_sweep(places.library, dataset, "own")):
        print(how_it_stands(swept))
    return code


def _grid(**values: Any) -> Grid:
    """The grid of all options; wrong usage, said before data are read, if it has a recipe that there can't be."""
    try:
        grid = Grid(**values)
        grid.recipes()
    except RecipeError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    return grid
