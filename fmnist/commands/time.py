"""time: measure again, under the same conditions, how long a step of each recipe takes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from fmnist.commands import CommandError, models_at_work, options
from fmnist.commands.addresses import finished
from fmnist.commands.options import Places
from fmnist.commands.tables import print_json
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import launcher, timing


@options.command("time", changes=True)
@click.argument("addresses", nargs=-1, type=options.ADDRESS, metavar="[RUN]...")
@options.models_option("The models, if no RUN is given.")
@options.dataset_option()
@click.option(
    "--steps", type=options.COUNT, default=timing.STEPS, show_default=True, help="Steps of each model in a round."
)
@click.option(
    "--rounds",
    type=options.COUNT,
    help=f"Rounds.  [default: {timing.usual_rounds(3)} for up to three models, more for more]",
)
@options.quiet_option
@options.format_option("table", "json")
def time_steps(
    places: Places,
    addresses: tuple[tuple[str, int], ...],
    models: list[str],
    dataset: str,
    steps: int,
    rounds: int | None,
    quiet: bool,
    format: str,
) -> None:
    """Measure how long a training step of each model takes, taking turns on this machine.

    With a RUN, such as reference-3, the recipes of these runs are timed.
    """
    runs = places.library.own
    recipes = [finished(places.library, *address).recipe for address in addresses]
    recipes = recipes or [Recipe(model, dataset=dataset) for model in models]
    if len({recipe.dataset for recipe in recipes}) > 1:
        raise CommandError("Runs on different data can't be timed together: give runs on one data set.")
    names, rounds = _names(recipes), rounds or timing.usual_rounds(len(recipes))
    loaded = places.load(recipes[0].dataset)
    launcher.recover(runs)  # What a scheduler that is gone has left behind is not being trained.
    _check_idle(runs)
    from fmnist.training.loop import TrainingError

    turns = []
    try:
        with models_at_work():
            for turn in timing.turns(recipes, loaded, steps, rounds):
                _check_idle(runs)
                turns.append(turn)
                if not quiet:
                    which = f"Round {turn.round} of {rounds}" if turn.round else "Warm-up"
                    took = timing.in_words(turn.seconds_per_step)
                    click.echo(f"{which}: {names[turn.index]}, {took} per step", err=True)
    except TrainingError as error:
        raise CommandError(str(error)) from error
    timings = timing.timings(recipes, loaded, turns)
    if format == "json":
        rows = [vars(found) | {"recipe": json.loads(found.recipe.to_json())} for found in timings]
        print_json([{"name": name} | row for name, row in zip(names, rows, strict=True)])
    else:
        print("\n".join([*timing.sentences(timings, names), timing.unsteady(timings)]).strip())


def _names(recipes: Sequence[Recipe]) -> list[str]:
    """What recipes are called: where a model's name stands for two of them, it does not tell which is meant."""
    models = [ARCHITECTURES[recipe.model].name for recipe in recipes]
    return [
        name if models.count(name) == 1 else f"{name} ({recipe.describe()})"
        for name, recipe in zip(models, recipes, strict=True)
    ]


def _check_idle(store: Store) -> None:
    active = len(store.runs(*ACTIVE))
    if active:
        raise CommandError(
            f"{active} run{'s are' if active > 1 else ' is'} queued or being trained: timing needs an idle machine. "
            f"Wait for the end, or stop the training."
        )
