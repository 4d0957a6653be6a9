"""Find the best recipes again: python -m fmnist.reference.make_best [--data PATH] [--runs FOLDER]   (an hour or two)

Trains the sweeps of `SEARCHES`, which hold out images, chooses on these, trains what is chosen with new seeds, all by
the command line that users have, and writes best.db, best.json and BEST.md beside this file. What a store in FOLDER has
trained already is not trained again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fmnist import __main__ as command_line
from fmnist.compare.best_recipes import BEST, FOUND, BestRecipes, Found, Search
from fmnist.compare.confirmation import FIRST_SEED, USUAL_SEEDS
from fmnist.compare.sweep import Sweep
from fmnist.data import files
from fmnist.data.catalog import DEFAULT
from fmnist.grid import yes_or_no
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.reference.make import condense, table
from fmnist.store.library import Group, Library
from fmnist.store.store import Store, store_path
from fmnist.words import exact

README = BEST.with_name("BEST.md")
SHARED = "--optimizer adam --schedule cosine --weight-decay 0.01 --epochs 20 --mirror no,yes --seeds 0-2"
SEARCHES = (
    f"--models 0,1 --lr 0.0003,0.001,0.003 --shift 0,1 {SHARED}",
    f"--models 2 --lr 0.003 --shift 0,1 {SHARED}",
    f"--models 2 --lr 0.001 {SHARED}",
    "--models 1 --optimizer sgd --lr 0.01,0.03,0.1 --schedule cosine --epochs 20 --mirror no,yes --seeds 0-2",
)
"""What is trained to choose from, as `python -m fmnist train` takes it."""
MIRRORED = "2"
"""The model of which the best recipe that mirrors is wanted, too: mirrored shoes are tried on it."""
TEXT = """# The best recipes

How far each of the three models gets by other recipes than the published one. {search}

{recipes}

`best.db` is a store like your own, with the runs that confirm the choice alone; `best.json` says what was chosen, and
from how many. Made on {date} on {machine}, {versions}, with

    python -m fmnist.reference.make_best --data PATH

which trains these sweeps, and then what is chosen, one run at a time:

{searches}

{table}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    parser.add_argument("--runs", type=Path, help="the folder of the store in which to train. Default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = store_path(options.runs or folder)
        for sweep in SEARCHES:
            if code := _train(shlex.split(sweep), path, options.data):
                return code
        search = searched(Library(Store(path), reference=None))
        for found in search.found:
            for seed in range(FIRST_SEED, FIRST_SEED + USUAL_SEEDS):  # One at a time: they are timed.
                if code := _train(["--seeds", str(seed), *as_options(found.recipe)], path, options.data):
                    return code
        recipes = {found.recipe for found in search.found}
        condense(path, BEST, [run.id for run in Store(path).finished() if run.recipe.group() in recipes])
    FOUND.write_text(search.to_json(), encoding="utf-8")
    README.write_text(describe(), encoding="utf-8")
    return 0


def _train(options: Sequence[str], path: Path, data: Path) -> int:
    return command_line.main(["train", *options, "--runs", str(path), "--data", str(data)])


def searched(library: Library) -> Search:
    """What a library's trials have found: for each model the best setting, and for `MIRRORED` the best that mirrors."""
    trials = library.trials(DEFAULT, "own")
    chosen_from = [[group for group in trials if group.recipe.model == id] for id in reversed(ARCHITECTURES.project)]
    chosen_from.append([group for group in trials if group.recipe.model == MIRRORED and group.recipe.mirror])
    found: dict[Recipe, Found] = {}
    for one in (_found(library, groups) for groups in chosen_from if groups):
        found.setdefault(one.recipe, one)
    runs = [run for group in trials for run in group.runs]
    return Search(
        settings=len(trials),
        seeds=max(len(group.runs) for group in trials),
        held_out=trials[0].recipe.validation,
        seconds=sum(run.finished_result.train_seconds + run.finished_result.eval_seconds for run in runs),
        found=tuple(found.values()),
    )


def _found(library: Library, groups: Sequence[Group]) -> Found:
    swept = Sweep(library, groups)
    accuracy = float(swept.table.iloc[0]["accuracy_mean"])
    return Found(swept.recipe_that_confirms, accuracy, len(groups), swept.not_told_apart)


def as_options(recipe: Recipe) -> list[str]:
    """A recipe, but for its seed, as `python -m fmnist train` takes it."""
    values = {
        "models": recipe.model,
        "epochs": recipe.epochs,
        "lr": exact(recipe.learning_rate),
        "batch-size": recipe.batch_size,
        "optimizer": recipe.optimizer,
        "weight-decay": exact(recipe.weight_decay),
        "schedule": recipe.schedule,
        "shift": recipe.shift,
        "mirror": yes_or_no(recipe.mirror),
        "validation": recipe.validation,
        "keep": recipe.keep,
    }
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def describe() -> str:
    """The text that goes with the runs."""
    best = BestRecipes.shipped()
    run = best.gains[0].best.runs[-1]
    assert run.finished
    return TEXT.format(
        search=best.say_search(),
        recipes="\n".join(f"- {gain.say()}" for gain in best.gains),
        date=datetime.fromtimestamp(run.finished, UTC).date().isoformat(),
        machine=run.machine,
        versions=", ".join(f"{name} {version}" for name, version in run.versions.items()),
        searches="\n".join(f"    python -m fmnist train {sweep}" for sweep in SEARCHES),
        table=table(BEST),
    )


if __name__ == "__main__":
    sys.exit(main())
