"""What does a Ray cluster cost, and how many runs can one scheduler follow?  python bench/scale.py

A cluster of a head and a node with two cores, all of them processes on this machine. Short runs are trained one at a
time, in turn on this machine and over Ray, both warm; what a run takes beyond its training is the time from the
request to the result, minus training and evaluation. Then runs on the cluster are stopped, timed from the request to
the end. Last, many workers replay a recorded run to one scheduler, each reporting twice a second: how late does a
report reach the store, and how much of a core does the scheduler use? Needs requirements-ray.txt.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.common import descendants, kill, show, wait
from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.run import Run, Status
from fmnist.store.store import Store, store_path
from fmnist.training import launcher, scheduler, worker, worker_handle
from fmnist.training.messages import ClusterState, EndReport, Node, Order, ProgressReport
from fmnist.training.worker_handle import Job, WorkerHandle

BOUND = 0.3  # Seconds that a run may take more over Ray than here.
STOP_BOUND = 2.0
AT_ONCE = (64, 1000)  # Runs that are replayed.
REPLAY_SECONDS = 20
INTERVAL = 0.5  # Seconds between two reports of a run.
RECORDED = Recipe("2", epochs=1, device="cpu")


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a cluster on this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        started.add_node(num_cpus=2)
        yield started.address
    finally:
        started.shutdown()


@contextmanager
def trained(address: str | None) -> Iterator[Store]:
    """A store with a warm trainer, here or on a cluster."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Store(store_path(folder))
        before = set(descendants(os.getpid()))
        os.environ["FMNIST_RAY_ADDRESS"] = address or ""
        launcher.start(store)
        try:
            yield store
        finally:
            store.close()
            kill(set(descendants(os.getpid())) - before)  # The trainer would stay.


def ask(store: Store, address: str | None, recipe: Recipe, root: Path) -> int:
    """Queue a recipe; the run's id."""
    [(id, _)] = store.enqueue([(recipe, recipe.key("bench"))], root, cluster=address)
    return id


def one_run(store: Store, address: str | None, recipe: Recipe, root: Path) -> float:
    """Seconds that a run takes beyond its training and evaluation."""
    started = time.perf_counter()
    id = ask(store, address, recipe, root)
    run = ended(store, id)
    taken = time.perf_counter() - started
    assert run.status == Status.DONE, run.error
    return taken - run.finished_result.train_seconds - run.finished_result.eval_seconds


def stopping(store: Store, address: str, recipe: Recipe, root: Path) -> float:
    """Seconds from asking a run to stop to its end."""
    id = ask(store, address, recipe, root)
    wait(lambda: (run := store.run(id)) and run.step, "the first steps", 120)
    started = time.perf_counter()
    store.request_stop([id])
    assert ended(store, id).status == Status.CANCELLED
    return time.perf_counter() - started


def ended(store: Store, id: int) -> Run:
    wait(lambda: (run := store.run(id)) and run.finished, "the end of a run", 300)
    run = store.run(id)
    assert run
    return run


# --- Replay ---


class Following(scheduler.Scheduler):
    """A trainer that notes how late it writes each report down."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.late: list[float] = []

    def _write_down(self, talker: WorkerHandle, job: Job, report: Any) -> None:
        due, report = report
        super()._write_down(talker, job, report)
        self.late.append(time.monotonic() - due)


def replay(connection: Connection, address: str) -> None:
    """Say what a cluster says that trains many runs: each report with the moment at which it is due.

    Args:
        address: the number of runs, and the data root.
    """
    count, root = address.split(" ", 1)
    architecture = ARCHITECTURES[RECORDED.model]
    places = {"data_root": Path(root), "cache": Path(root), "log": Path(os.devnull)}
    order = Order(0, RECORDED, architecture, checkpoint=None, threads=1, compiled=None, **places)
    begun, *reports = worker.follow(order, lambda: worker.dataset(order), stopped=lambda: False)
    reports = [report for report in reports if isinstance(report, ProgressReport)]
    connection.send(ClusterState(address, (Node("recorded", int(count), 0),)))
    runs = [connection.recv().run for _ in range(int(count))]
    started = time.monotonic()
    for run in runs:
        connection.send((run, (started, begun)))
    # Runs do not report in step.
    for turn, (place, run) in itertools.product(range(int(REPLAY_SECONDS / INTERVAL)), enumerate(runs)):
        due = started + INTERVAL * (turn + place / len(runs))
        time.sleep(max(0.0, due - time.monotonic()))
        connection.send((run, (due, reports[turn % len(reports)])))
    for run in runs:
        connection.send((run, (time.monotonic(), EndReport(Status.CANCELLED))))
    with suppress(EOFError):
        connection.recv()  # Until the trainer ends.


def follow(count: int, root: Path) -> tuple[float, float, float]:
    """The median and the 99th percentile of how late reports of so many runs are, in seconds; the share of a core."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Store(store_path(folder))
        recipes = [Recipe(RECORDED.model, seed, device="cpu") for seed in range(count)]
        keyed = [(recipe, recipe.key("bench")) for recipe in recipes]
        store.enqueue(keyed, root, cluster=f"{count} {root}")
        following = Following(store)
        began, used = time.monotonic(), time.process_time()
        following.work(idle_seconds=0)
        share = (time.process_time() - used) / REPLAY_SECONDS
        store.close()
    assert time.monotonic() - began > REPLAY_SECONDS
    late = sorted(following.late)
    return statistics.median(late), late[int(0.99 * len(late))], share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    beyond: dict[str | None, list[float]] = {}
    stops = []
    with cluster() as address, trained(None) as here, trained(address) as there:
        places = {None: here, address: there}
        for repeat in range(-1, options.repeats):  # The first turn warms up.
            for place, runs in places.items():
                seconds = one_run(runs, place, Recipe("0", repeat + 1, epochs=1, device="cpu"), options.data)
                if repeat >= 0:
                    beyond.setdefault(place, []).append(seconds)
            if repeat >= 0:
                endless = Recipe("2", repeat, epochs=1000, device="cpu")
                stops.append(stopping(there, address, endless, options.data))
    local, ray = (statistics.median(beyond[place]) for place in (None, address))
    costs = [two - one for one, two in zip(beyond[None], beyond[address], strict=True)]
    rows = [
        ["a local run, beyond its training", "", f"{local:.2f} s", f"{max(beyond[None]):.2f} s"],
        ["the same over Ray", "", f"{ray:.2f} s", f"{max(beyond[address]):.2f} s"],
        ["difference, pair by pair", f"{BOUND} s", f"{statistics.median(costs):.2f} s", f"{max(costs):.2f} s"],
        ["stopping a run over Ray", f"{STOP_BOUND:.0f} s", f"{statistics.median(stops):.2f} s", f"{max(stops):.2f} s"],
    ]
    worker_handle.serve_cluster = replay
    for count in AT_ONCE:
        median, most, share = follow(count, options.data)
        rows.append(
            [
                f"{count:,} runs that report twice a second, stored ({share:.0%} of a core)",
                f"{INTERVAL} s" if count == AT_ONCE[0] else "",
                f"{median:.3f} s late",
                f"99% within {most:.3f} s",
            ]
        )
    show(["what", "bound", "median", "slowest"], rows)


if __name__ == "__main__":
    main()
