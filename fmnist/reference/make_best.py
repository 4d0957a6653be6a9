"""Find the best recipes again: python -m fmnist.reference.make_best [--data PATH] [--runs FOLDER]   (an hour or two)

Trains the sweeps of `SEARCHES`, which hold out images, chooses on these, trains what is chosen with new seeds, all by
the command line that users have, and writes best.db, best.json and BEST.md beside this file. What a store in FOLDER has
trained already is not trained again.
"""

from __future__ import annotations

import argparse
import shlex
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill

from fmnist import __main__ as command_line
from fmnist.compare import confirmation
from fmnist.compare.best_recipes import BEST, FOUND, BestRecipes, Found, Search
from fmnist.compare.confirmation import USUAL_SEEDS
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
HOW_FAR = "How far each of the three models gets by other recipes than the published one."
TEXT = """# The best recipes

{search}

{recipes}

The published recipe was trained with the same seeds, for comparison. `best.db` has these runs alone: their recipes,
results, weights (safetensors), and what they answer to the test images; `best.json` says what was chosen, and from how
many settings. Made on {date} on {machine}, {versions}, with

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
        library = Library(Store(path), reference=None)
        search = searched(library)
        for found in search.found:
            for recipe in confirmation.to_train(library, found.recipe, USUAL_SEEDS):  # One at a time: they are timed.
                if code := _train(["--seeds", str(recipe.seed), *as_options(recipe)], path, options.data):
                    return code
        recipes = {one for found in search.found for one in (found.recipe, confirmation.published(found.recipe))}
        confirming = [run for run in library.own.finished() if not confirmation.chosen_by(run)]
        condense(path, BEST, [run.id for run in confirming if run.recipe.group() in recipes])
    leave_what_is_shown(BEST)
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


def leave_what_is_shown(path: Path) -> None:
    """Take out of a store's file what takes most of its room: logits, and what was measured within epochs. Runs keep
    their weights, by which all of it can be computed again, and the test accuracy after each epoch."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(
            "DELETE FROM artifacts WHERE name != 'weights' AND name != 'predictions/' || "
            "(SELECT json_extract(recipe, '$.epochs') FROM runs WHERE id = artifacts.run)"
        )
        db.execute("DELETE FROM history WHERE split = 'train'")
        db.execute("VACUUM")


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
        search=fill(f"{HOW_FAR} {best.say_search()}", 120),
        recipes="\n".join(f"- {gain.say()}" for gain in best.gains),
        date=datetime.fromtimestamp(run.finished, UTC).date().isoformat(),
        machine=run.machine,
        versions=", ".join(f"{name} {version}" for name, version in run.versions.items()),
        searches="\n".join(f"    python -m fmnist train {sweep}" for sweep in SEARCHES),
        table=table(BEST, with_recipes=True),
    )


if __name__ == "__main__":
    sys.exit(main())
