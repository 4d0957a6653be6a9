"""train: queue runs as the Train page does, see that a trainer works on them, and show how it goes."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any

from tqdm import tqdm

from fmnist import data, settings, trainer
from fmnist.commands import CommandError
from fmnist.commands.arguments import Commands, add_command, add_dataset, choices, listed, models, numbers
from fmnist.grid import Grid, decimals, whole_numbers
from fmnist.library import Library
from fmnist.models import ARCHITECTURES
from fmnist.plan import Plan
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe
from fmnist.run import Run
from fmnist.store import Store

FOLLOW_SECONDS = 0.2
MOST_BARS = 8  # Runs that are trained at the same time and have a bar.


def add(commands: Commands) -> None:
    published = Recipe("0")
    sub = add_command(
        commands, "train", train, "train models, or say what they reached when they were trained before", changes=True
    )
    sub.add_argument(
        "--models",
        type=models,
        default=ARCHITECTURES.project,
        help="for example 0,1,2, or an own one (default: 0,1,2)",
    )
    sub.add_argument("--seeds", type=numbers, default=[0], help="for example 0-4 (default: 0)")
    # Every combination of what is named is trained.
    for name, read, default, help in (
        ("--epochs", whole_numbers, published.epochs, "for example 1,3"),
        ("--lr", decimals, published.learning_rate, "learning rate, for example 0.01,0.1"),
        ("--batch-size", whole_numbers, published.batch_size, "for example 32,64"),
    ):
        sub.add_argument(name, type=listed(read), default=[default], help=f"{help} (default: {default})")
    sub.add_argument(
        "--optimizer",
        type=choices("optimizer", OPTIMIZERS),
        default=[published.optimizer],
        help=f"of {','.join(OPTIMIZERS)} (default: {published.optimizer})",
    )
    add_dataset(sub)
    sub.add_argument("--device", choices=DEVICES, default=published.device, help="default: %(default)s")
    sub.add_argument("--again", action="store_true", help="train also what was trained before")
    sub.add_argument(
        "--ray",
        metavar="ADDRESS",
        default=settings.ray_address(),
        help="the Ray cluster that shall train them, as HOST:PORT or auto (default: FMNIST_RAY_ADDRESS, else here)",
    )
    sub.add_argument("--dry-run", action="store_true", help="say what would be trained and how long it takes; no more")


def train(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    runs = library.own
    grid = Grid(
        options.models,
        options.seeds,
        options.epochs,
        options.batch_size,
        options.lr,
        options.optimizer,
        options.dataset,
        options.device,
    )
    grid.recipes()  # A grid that can't be trained is said to be so before data are read.
    loaded = data.load(options.dataset, options.data, runs.path.parent)
    plan = Plan(library, grid, loaded, trainer.slots_of(runs, options.ray), options.again)
    if len(plan.todo) > 1 or options.dry_run:
        print(f"fmnist: {plan.say()}", file=sys.stderr)
    if options.dry_run:
        print(plan.table().to_string(index=False, na_rep="?", float_format="{:.0f}".format))
        return 0
    cluster = options.ray or None
    queued = runs.enqueue(plan.keyed, options.data, again=options.again, cluster=cluster)
    ids = [id for id, needed in queued if needed]
    if ids:
        trainer.start(runs)
        try:
            _follow(runs, ids, cluster)
        except KeyboardInterrupt:
            runs.request_stop(ids)
            print("fmnist: stopped; what was trained so far is kept.", file=sys.stderr)
            raise
    failed = False
    for id, needed in queued:
        run = runs.run(id)
        print(_outcome(run, needed, grid))
        failed |= run is None or run.status != "done"
    return int(failed)


def _follow(runs: Store, ids: list[int], cluster: str | None) -> None:
    """Show how many of them are done, and a bar for each one that is trained, until none is queued or running.

    No bars where the output is not a terminal.

    Args:
        cluster: the address of the Ray cluster that trains them; it is said if that can't be used.
    """
    whole = _bar("All runs", 0, unit=" runs", total=len(ids))
    bars: dict[int, tuple[int, tqdm]] = {}  # by run: the line, and what stands there
    waited, told = time.monotonic(), None
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    # As an exception Ctrl-C may come up in a destructor, such as that of a file lock, where Python drops it.
    before = signal.signal(signal.SIGINT, note)
    try:
        while not interrupted:
            running = {run.id: run for run in runs.some(ids, "running")[:MOST_BARS]}
            for id in bars.keys() - running.keys():
                bars.pop(id)[1].close()
            for id, run in running.items():
                if id not in bars:
                    line = min({*range(1, MOST_BARS + 1)} - {line for line, _ in bars.values()})
                    # It leaves nothing behind: the lines of a sweep would fill the screen.
                    bars[id] = line, _bar(run.name, line, unit=" steps", leave=False)
                bar = bars[id][1]
                bar.total, bar.n = run.steps, run.step
                bar.refresh()
            left = runs.left(ids)
            whole.n = len(ids) - left
            whole.refresh()
            if not left:
                return
            problem = cluster and trainer.cluster_state(runs, cluster).problem
            if problem and problem != told:
                tqdm.write(f"fmnist: {problem} Its runs wait until it is back; Ctrl-C stops them.", file=sys.stderr)
            told = problem
            if trainer.is_alive(runs):
                waited = time.monotonic()
            elif time.monotonic() - waited > 10:  # Seconds: a process starts and takes its lock in less than one.
                raise CommandError(f"The trainer does not start, or has ended. {trainer.last_words(runs.path)}".strip())
            time.sleep(FOLLOW_SECONDS)
        raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
        for bar in (*(bar for _, bar in bars.values()), whole):
            bar.close()


def _bar(name: str, line: int, **options: Any) -> tqdm:
    return tqdm(desc=name, position=line, dynamic_ncols=True, disable=None, **options)


def _outcome(run: Run | None, trained: bool, grid: Grid) -> str:
    if run is None:
        return "A run was deleted while it was being trained."
    name = f"{run.name}, {run.recipe.describe()}" if grid.is_sweep else run.name
    if run.result:
        cached = "" if trained else " (trained before)"
        return f"{name}: {run.result['test_accuracy']:.2%}, {run.result['train_seconds']:.1f} s{cached}"
    return f"{name}: {run.status}. {run.error or ''}".strip()
