"""time: measure again, under the same conditions, how long a step of each recipe takes."""

from __future__ import annotations

import argparse
import json
import sys

from fmnist.commands import CommandError
from fmnist.commands.addresses import finished
from fmnist.commands.arguments import Commands, add_command, add_dataset, count, models
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import scheduler, timing


def add(commands: Commands) -> None:
    sub = add_command(
        commands,
        "time",
        time_steps,
        "measure how long a step of each model takes, in turn on this machine",
        changes=True,
    )
    sub.add_argument("addresses", nargs="*", metavar="RUN", help="the recipes of these runs, for example reference-3")
    sub.add_argument("--models", type=models, default=ARCHITECTURES.project, help="or these models' (default: 0,1,2)")
    add_dataset(sub)
    sub.add_argument("--steps", type=count, default=timing.STEPS, help="of a turn (default: %(default)s)")
    sub.add_argument("--rounds", type=count, default=timing.ROUNDS, help="default: %(default)s")
    sub.add_argument("--json", action="store_true", help="every round's seconds per step, as a list")


def time_steps(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    recipes, names = _to_be_timed(library, options)
    loaded = files.load(recipes[0].dataset, options.data, options.runs.parent)
    scheduler.recover(library.own)  # What a trainer that is gone has left behind is not being trained.
    _check_idle(library.own)
    from fmnist.training.loop import TrainingError

    turns = []
    try:
        for turn in timing.turns(recipes, loaded, options.steps, options.rounds):
            _check_idle(library.own)
            turns.append(turn)
            which = f"Round {turn.round} of {options.rounds}" if turn.round else "Warm-up"
            print(f"{which}: {names[turn.index]}, {timing.in_words(turn.seconds_per_step)} per step", file=sys.stderr)
    except TrainingError as error:
        raise CommandError(str(error)) from error
    timings = timing.timings(recipes, loaded, turns)
    if options.json:
        rows = [vars(found) | {"recipe": json.loads(found.recipe.to_json())} for found in timings]
        print(json.dumps([{"name": name} | row for name, row in zip(names, rows, strict=True)], indent=2))
    else:
        print("\n".join([*timing.sentences(timings, names), timing.unsteady(timings)]).strip())
    return 0


def _to_be_timed(library: Library, options: argparse.Namespace) -> tuple[list[Recipe], list[str]]:
    """Recipes on one data set, and what they are called."""
    runs = [finished(library, address) for address in options.addresses]
    recipes = [run.recipe for run in runs] or [Recipe(model, dataset=options.dataset) for model in options.models]
    if len({recipe.dataset for recipe in recipes}) > 1:
        raise CommandError("Runs on different data can't be timed together: name those on one data set.")
    models = [ARCHITECTURES[recipe.model].name for recipe in recipes]
    # Where a name stands for two of them, it does not tell which is meant.
    names = [
        name if models.count(name) == 1 else f"{name} ({recipe.describe()})"
        for name, recipe in zip(models, recipes, strict=True)
    ]
    return recipes, names


def _check_idle(store: Store) -> None:
    active = len(store.runs(*ACTIVE))
    if active:
        raise CommandError(
            f"{active} run{'s are' if active > 1 else ' is'} queued or being trained: times are measured while "
            "nothing else runs. Wait for the end, or stop."
        )
