"""runs: list, show, delete or import runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from fmnist.commands import CommandError
from fmnist.commands.arguments import Commands, add_command
from fmnist.data import files
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import Store


def add(commands: Commands) -> None:
    group = commands.add_parser("runs", help="list, show, delete or import runs").add_subparsers(
        required=True, metavar="WHAT"
    )
    add_command(group, "list", runs_list, "one line per run")
    sub = add_command(group, "show", runs_show, "one run, as JSON")
    sub.add_argument("id", type=int, metavar="ID")
    sub = add_command(group, "delete", runs_delete, "delete one run with its curves and weights", changes=True)
    sub.add_argument("id", type=int, metavar="ID")
    sub = add_command(group, "import", runs_import, "take in the finished runs of another store", changes=True)
    sub.add_argument("file", type=Path, metavar="FILE", help="its file, such as fmnist.db")


def runs_list(options: argparse.Namespace) -> int:
    for run in Store(options.runs).runs():
        result = f"{run.result.test_accuracy:.2%}" if run.result else f"{run.step:,}/{run.steps or 0:,} steps"
        print(
            f"{run.id:>5}  {run.status:<11}  {run.name:<16}  {run.recipe.info.title:<12}  "
            f"{run.recipe.describe():<36}  {result}"
        )
    return 0


def _wanted(store: Store, options: argparse.Namespace) -> Run:
    run = store.run(options.id) if abs(options.id) < 2**63 else None  # SQLite's largest number
    if run is None:
        raise CommandError(f"There is no run {options.id} in {options.runs}: python -m fmnist runs list.")
    return run


def runs_show(options: argparse.Namespace) -> int:
    run = _wanted(Store(options.runs), options)
    times = {
        name: value and datetime.fromtimestamp(value).isoformat(" ", "seconds")
        for name in ("created", "started", "finished")
        for value in [getattr(run, name)]
    }
    facts = asdict(run) | times
    print(json.dumps({name: value for name, value in facts.items() if name not in ("updated", "stop")}, indent=2))
    return 0


def runs_delete(options: argparse.Namespace) -> int:
    store = Store(options.runs)
    run = _wanted(store, options)
    if not store.delete(options.id):
        raise CommandError(f"Run {options.id} is {run.status}: stop it before you delete it.")
    print(f"Run {options.id} ({run.name}) is deleted.")
    return 0


def runs_import(options: argparse.Namespace) -> int:
    """Take in what another store has; the file stays as it is."""
    from fmnist.commands.import_runs import import_runs  # imports torch

    load = lru_cache(lambda name: files.load(name, options.data, options.runs.parent))
    print(import_runs(Library(Store(options.runs)), options.file, load).text)
    return 0
