"""train: queue runs as the Train page does, see that a trainer works on them, and show how it goes."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from typing import Any

from tqdm import tqdm

from fmnist.commands import CommandError
from fmnist.commands.arguments import Commands, add_command, add_dataset, choices, listed, models, numbers
from fmnist.data import files
from fmnist.grid import Grid, decimals, whole_numbers
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run, Status
from fmnist.store.store import Store
from fmnist.training import scheduler
from fmnist.training.estimate import Plan

FOLLOW_SECONDS = 0.2
MAX_BARS = 8  # Runs that are trained at the same time and have a bar.


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
        default=scheduler.cluster_address(),
        help="the Ray cluster that shall train them, as HOST:PORT or auto (default: FMNIST_RAY_ADDRESS, else here)",
    )
    sub.add_argument("--dry-run", action="store_true", help="say what would be trained and how long it takes; no more")


def train(options: argparse.Namespace) -> int:
    library = Library(Store(options.runs))
    store = library.own
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
    loaded = files.load(options.dataset, options.data, store.path.parent)
    plan = Plan(library, grid, loaded, scheduler.slots_of(store, options.ray), options.again)
    if len(plan.todo) > 1 or options.dry_run:
        print(f"fmnist: {plan.say()}", file=sys.stderr)
    if options.dry_run:
        print(plan.table().to_string(index=False, na_rep="?", float_format="{:.0f}".format))
        return 0
    cluster = options.ray or None
    queued = store.enqueue(plan.keyed, options.data, again=options.again, cluster=cluster)
    ids = [id for id, needed in queued if needed]
    if ids:
        scheduler.start(store)
        try:
            _follow(store, ids, cluster)
        except KeyboardInterrupt:
            store.request_stop(ids)
            print("fmnist: stopped; what was trained so far is kept.", file=sys.stderr)
            raise
    failed = False
    for id, needed in queued:
        run = store.run(id)
        print(_outcome(run, needed, grid))
        failed |= run is None or run.status != Status.DONE
    return int(failed)


def _follow(store: Store, ids: list[int], cluster: str | None) -> None:
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
            running = {run.id: run for run in store.by_ids(ids, Status.RUNNING)[:MAX_BARS]}
            for id in bars.keys() - running.keys():
                bars.pop(id)[1].close()
            for id, run in running.items():
                if id not in bars:
                    line = min({*range(1, MAX_BARS + 1)} - {line for line, _ in bars.values()})
                    # It leaves nothing behind: the lines of a sweep would fill the screen.
                    bars[id] = line, _bar(run.name, line, unit=" steps", leave=False)
                bar = bars[id][1]
                bar.total, bar.n = run.steps, run.step
                bar.refresh()
            left = store.count_active(ids)
            whole.n = len(ids) - left
            whole.refresh()
            if not left:
                return
            problem = cluster and scheduler.cluster_state(store, cluster).problem
            if problem and problem != told:
                tqdm.write(f"fmnist: {problem} Its runs wait until it is back; Ctrl-C stops them.", file=sys.stderr)
            told = problem
            if scheduler.is_alive(store):
                waited = time.monotonic()
            else:
                scheduler.recover(store)  # Else what it was training would be waited for without end.
                if time.monotonic() - waited > 10:  # Seconds: a process starts and takes its lock in less than one.
                    words = scheduler.last_words(store.path)
                    raise CommandError(f"The trainer does not start, or has ended. {words}".strip())
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
        return f"{name}: {run.result.test_accuracy:.2%}, {run.result.train_seconds:.1f} s{cached}"
    return f"{name}: {run.status}. {run.error or ''}".strip()
