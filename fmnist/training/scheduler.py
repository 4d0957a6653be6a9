"""The trainer: a process of its own that takes queued runs from the store and has them trained.

Runs for this machine go to workers (`fmnist.training.worker`), one each; runs for a Ray cluster to one process that
passes them on (`fmnist.training.ray_cluster`). Both take the same orders and give the same reports.

`python -m fmnist.training.scheduler` lives on when the dashboard's server ends, and ends by itself when there has been
nothing to do for a while. For as long as it lives it holds a file lock: so there is never a second
one, and everybody notices at once when it is gone, however it went. It is the only one who writes results.

torch is imported in the workers alone (`fmnist.training.worker`).
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from fmnist import background, settings
from fmnist.data.catalog import DEFAULT
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.run import Run, Start, Status
from fmnist.store.store import Store, StoreError, store_path
from fmnist.training.worker import (
    ClusterState,
    EndReport,
    LostReport,
    Order,
    Prepare,
    ProgressReport,
    Report,
    Stop,
    cores,
    serve,
)

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

POLL_SECONDS = 0.1  # Between two looks into the queue.
IDLE_SECONDS = 300.0
MAX_MESSAGES = 100  # Of a worker, between two looks into the queue.
END_SECONDS = 5.0  # That a process has to end when it is asked to.
CONNECT_SECONDS = 60.0  # That connecting to a cluster may take.
RETRY_SECONDS = 5.0  # Until a cluster that is gone is looked for again.
MAX_LOSSES = 3  # How often a cluster may lose a run before it has finished another epoch.
MAX_SLOTS = 8
WORKER_BYTES = 10**9  # Memory of a worker: torch and the images as floats (measured: 0.8 GB).
EXPECTED = "trainer_files"  # The setting of the store in which `_expected` stands.
# Not forked from the trainer: they would inherit the lock and the open store.
SPAWNED = multiprocessing.get_context("spawn")
# Forked from a process that has loaded torch and done nothing else: a worker more starts at once and shares its memory.
# Linux alone: elsewhere there is no fork, or system libraries do not survive it.
WORKERS = multiprocessing.get_context("forkserver") if sys.platform == "linux" else multiprocessing.get_context("spawn")
WORKERS.set_forkserver_preload(["fmnist.training.preload"])

log = logging.getLogger("fmnist.training.scheduler")


# --- Seen from outside: pages and the command line ---


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".trainer.lock"))


def log_path(path: Path) -> Path:
    """Where a trainer writes what happens to it."""
    return path.with_name(path.name + ".trainer.log")


@contextmanager
def _held(lock: FileLock, timeout: float = 0) -> Iterator[bool]:
    """Hold the lock if it can be had; tell whether."""
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise StoreError(
            f"{Path(lock.lock_file).parent} can't be written ({error.strerror or error}): "
            "nothing can be trained there. Choose another place with FMNIST_RUNS."
        ) from error
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def _tried(store: Store) -> Iterator[bool]:
    """Hold the lock of a store's trainer if no trainer does; tell whether.

    Raises:
        StoreError: the dashboard is read-only, or the folder of the store can't be written: no lock can be tried.
    """
    if settings.read_only():
        raise StoreError(settings.READ_ONLY)
    with _held(_lock(store.path)) as free:
        yield free


def is_alive(store: Store) -> bool:
    """Whether a trainer works on this store.

    Raises:
        StoreError: as `_tried`.
    """
    with _tried(store) as free:
        return not free


def recover(store: Store) -> None:
    """Mark the runs as interrupted that a trainer has left behind; none while a trainer is alive.

    Raises:
        StoreError: as `_tried`, or the store can't be written.
    """
    with _tried(store) as free:
        if free and store.runs(Status.RUNNING):
            store.interrupt_running()


def start(store: Store) -> None:
    """Start a trainer for this store, if none is alive. Returns at once; a second one ends by itself.

    One that knows nothing of the files with the user's own models that we know is followed by one that does, as soon as
    it has trained what it can.

    Raises:
        StoreError: the dashboard is read-only, or the folder of the store can't be written.
    """
    command = ["-u", *settings.module("fmnist.training.scheduler"), "--runs", str(store.path)]
    if is_alive(store):
        if custom.files() <= _expected(store):
            return
        store.set_setting(EXPECTED, json.dumps(sorted(custom.files())))
        command += ["--wait"]
    try:
        background.detach(*command, log=log_path(store.path))
    except OSError as error:
        raise StoreError(f"The trainer can't be started ({error.strerror or error}).") from error


def cluster_state(store: Store, address: str) -> ClusterState:
    """A cluster as a trainer saw it last."""
    kept = store.setting(_state_name(address))
    try:
        return ClusterState.from_json(kept) if kept else ClusterState(address)
    except (ValueError, TypeError, AttributeError, RecursionError):  # Damaged: as if none had been seen.
        return ClusterState(address)


def slots_of(store: Store, address: str | None) -> int:
    """How many runs are trained side by side: here, or on a cluster as it was seen last."""
    return (address and cluster_state(store, address).slots) or slots()


def _state_name(address: str) -> str:
    return f"cluster {address}"


def _expected(store: Store) -> set[str]:
    """The files with the user's own models that the trainer knows, or the one that waits for its end."""
    try:
        return set(json.loads(store.setting(EXPECTED) or "[]"))
    except (ValueError, TypeError, RecursionError):  # Damaged: as if nobody had told.
        return set()


def last_words(path: Path) -> str:
    """The last line of the trainer's log, for a page that has to say why there is none."""
    try:
        lines = log_path(path).read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


# --- The process ---


@dataclass
class Job:
    """A run that is being trained."""

    run: Run
    threads: int  # that it may use
    at_once: int = 1  # the most runs that were trained at the same time on the same machine, itself included
    node: str | None = None  # of a cluster
    told_to_stop: bool = False


@dataclass
class Worker:
    """A process that has runs trained, as the trainer sees it: here one at a time, on a cluster many."""

    process: BaseProcess
    connection: Connection
    cluster: ClusterState | None = None
    jobs: dict[int, Job] = field(default_factory=dict)  # by the run's id
    since: float = field(default_factory=time.monotonic)

    @property
    def threads(self) -> int:
        """That its runs may use."""
        return sum(job.threads for job in self.jobs.values())

    def begin(self, job: Job, order: Order) -> None:
        log.info("run %d: %s, %s", job.run.id, job.run.name, job.run.recipe.describe())
        self.jobs[job.run.id] = job
        with suppress(OSError):  # It has died in the meantime, which shows when its report is awaited.
            self.connection.send(order)

    def stop(self, job: Job) -> None:
        if not job.told_to_stop:
            job.told_to_stop = True
            with suppress(OSError):
                self.connection.send(Stop(job.run.id))


class Scheduler:
    """Hands queued runs to workers, and writes down what they report."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.slots = slots()
        self._workers: list[Worker] = []
        self._clusters: dict[str, Worker] = {}  # by address
        self._retries: dict[str, float] = {}  # when to look for a cluster again that is gone
        self._losses: Counter[int] = Counter()  # how often a cluster lost a run since its last epoch

    def work(self, idle_seconds: float) -> None:
        """Train what is queued; return when nothing was for `idle_seconds`.

        Raises:
            StoreError: nothing can be written any more; runs can be taken up again from their last saved epoch.
        """
        idle_since = time.monotonic()
        try:
            self.store.set_setting(EXPECTED, json.dumps(sorted(custom.files())))
            if idle_seconds:
                self._prepare()
            while True:
                # Whoever asks for one has had it tried. Those of before a file was changed may still be in the queue.
                custom.refresh(self.store.path.parent, keep_former=True, trying=False)
                self._hand_out()
                busy = self._is_busy()  # Also if the last run ends with these reports.
                self._take_reports()
                if busy or self.store.waiting_for_clusters():  # A cluster that is gone may come back.
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since >= idle_seconds or self._is_followed():
                    return
                else:
                    self._end(self._workers[1:])
        except StoreError as error:
            for worker in self._all():
                for id in worker.jobs:
                    log.info("run %d interrupted: %s", id, error)
                    # If not even that can be written, whoever looks next finds a running run without a trainer.
                    with suppress(StoreError):
                        self.store.finish(id, Status.INTERRUPTED, error=str(error))
            raise
        finally:
            self._end(self._all())

    def _all(self) -> list[Worker]:
        return [*self._workers, *self._clusters.values()]

    def _is_busy(self) -> bool:
        """Whether any run is being trained."""
        return any(worker.jobs for worker in self._all())

    def _prepare(self) -> None:
        """Have what the next run will need loaded while nobody waits: seconds of torch, half a second of images."""
        wanted = Prepare(DEFAULT, self.store.data_root(), self.store.path.parent)
        address = settings.ray_address()
        worker = self._connect(address) if address else self._start_worker()
        with suppress(OSError):
            worker.connection.send(wanted)

    def _is_followed(self) -> bool:
        """Whether another trainer waits for our end, to train models that we know nothing of."""
        return not _expected(self.store) <= custom.files()

    # --- From the queue to the workers ---

    def _hand_out(self) -> None:
        self._hand_out_here()
        for address, waiting in self.store.waiting_for_clusters().items():
            self._hand_out_to(address, waiting)

    def _hand_out_here(self) -> None:
        """Give queued runs to idle workers: the next one, and side by side with it those that differ by seed only.

        Other models wait: times are compared between models, so each is trained under the same load. Of more seeds
        than there are slots the odd ones go first, with more threads each: left over, they would leave cores idle.
        """
        busy = [job for worker in self._workers for job in worker.jobs.values()]
        free = self.slots - sum(job.threads for job in busy)
        beside = busy[0].run if busy else None
        if free <= 0 or not (waiting := self.store.waiting(beside)):
            return
        odd = waiting % self.slots if waiting > self.slots and not busy else 0
        claimed: list[Run] = []
        while len(claimed) < (odd or min(waiting, free)) and (run := self.store.claim(beside)):
            claimed.append(run)
            beside = run
        at_once = len(busy) + len(claimed)
        for run in claimed:
            worker = next((worker for worker in self._workers if not worker.jobs), None) or self._start_worker()
            self._begin(worker, Job(run, _threads(run, free // len(claimed)), at_once))
        for job in busy:
            job.at_once = max(job.at_once, at_once)

    def _hand_out_to(self, address: str, waiting: int) -> None:
        """Give a cluster as many of the runs that wait for it as it has room for, in the order of the queue.

        Each run reserves its cores there, so that other models beside it do not slow it down.
        """
        worker = self._clusters.get(address)
        if worker is None:
            if time.monotonic() >= self._retries.get(address, 0):
                self._connect(address)  # It tells how much room there is when it is connected.
            return
        cluster = worker.cluster or ClusterState(address)
        if not cluster.nodes and time.monotonic() - worker.since > CONNECT_SECONDS:
            worker.cluster = ClusterState(address, problem=f"The Ray cluster at {address} does not answer.")
            worker.process.kill()  # Which shows when its report is awaited.
            return
        free = cluster.slots - worker.threads
        for left in range(min(waiting, free), 0, -1):
            run = self.store.claim(cluster=address)
            if run is None:
                return
            job = Job(run, _threads(run, free // left))
            free -= job.threads
            self._begin(worker, job)

    def _begin(self, worker: Worker, job: Job) -> None:
        order = Order(
            job.run.id,
            job.run.recipe,
            ARCHITECTURES[job.run.recipe.model],
            Path(job.run.data_root),
            self.store.path.parent,
            self.store.artifact(job.run.id, "checkpoint"),
            job.threads,
            log_path(self.store.path),
        )
        worker.begin(job, order)

    # --- From the workers to the store ---

    def _take_reports(self) -> None:
        """Write down what comes within moments."""
        talking = [worker for worker in self._all() if worker.jobs or worker.cluster]
        if not talking:
            time.sleep(POLL_SECONDS)
        heard = wait([worker.connection for worker in talking], POLL_SECONDS)
        for worker in talking:
            if worker.connection in heard:
                self._listen(worker)

    def _listen(self, worker: Worker) -> None:
        """Write down all that a worker has said by now."""
        try:
            for _ in range(MAX_MESSAGES):
                match worker.connection.recv():
                    case ClusterState() as state:
                        self._note(worker, state)
                    case (id, report):
                        self._write_down(worker, worker.jobs[id], report)
                if not worker.connection.poll():
                    return
        except (EOFError, OSError):  # Killed, out of memory, or a fault in a library.
            self._bury(worker)

    def _write_down(self, worker: Worker, job: Job, report: Report) -> None:
        """Write down what is reported of a run, and stop it if it is no longer wanted."""
        run = job.run
        match report:
            case Start():
                self.store.record_start(run.id, report)
                job.node = report.node
                beside = [other for other in worker.jobs.values() if other.node and other.node == job.node]
                for other in beside:
                    other.at_once = max(other.at_once, len(beside))
            case ProgressReport():
                wanted = self.store.record(
                    run.id,
                    report.points,
                    images_per_second=report.images_per_second,
                    artifacts=report.artifacts,
                )
                if "checkpoint" in report.artifacts:
                    self._losses.pop(run.id, None)
                if not wanted:
                    worker.stop(job)
            case EndReport():
                self._finish(worker, job, report)
            case LostReport():
                self._losses[run.id] += 1
                if self._losses[run.id] == MAX_LOSSES:
                    reason = f"{report.reason} It happened {MAX_LOSSES} times without an epoch being finished."
                    self._finish(worker, job, EndReport(Status.INTERRUPTED, reason))
                else:
                    self._give_back(worker, job, report.reason)

    def _finish(self, worker: Worker, job: Job, end: EndReport) -> None:
        result = end.result and replace(end.result, at_once=job.at_once)
        self.store.finish(
            job.run.id, end.status, points=end.points, result=result, artifacts=end.artifacts, error=end.error
        )
        del worker.jobs[job.run.id]
        self._losses.pop(job.run.id, None)
        log.info("run %d %s%s", job.run.id, end.status, f": {end.error}" if end.error else "")

    def _give_back(self, worker: Worker, job: Job, reason: str) -> None:
        """Queue a run again that was lost: it goes on elsewhere from its last finished epoch."""
        self.store.give_back(job.run.id)
        del worker.jobs[job.run.id]
        log.info("run %d queued again: %s", job.run.id, reason)

    def _note(self, worker: Worker, state: ClusterState) -> None:
        """Keep what a cluster is like, for the pages."""
        worker.cluster = state
        self.store.set_setting(_state_name(state.address), state.to_json())

    def _bury(self, worker: Worker) -> None:
        """A process is gone that should be there: its runs go on if they can."""
        worker.connection.close()
        worker.process.join()
        if worker.cluster is None:
            self._workers.remove(worker)
            reason = (
                f"The process that trained it ended unexpectedly (exit code {worker.process.exitcode}): "
                "it may have run out of memory."
            )
            for job in list(worker.jobs.values()):
                self._finish(worker, job, EndReport(Status.INTERRUPTED, reason))
            return
        address = worker.cluster.address
        del self._clusters[address]
        self._retries[address] = time.monotonic() + RETRY_SECONDS
        problem = worker.cluster.problem or f"The Ray cluster at {address} is gone: the connection to it broke off."
        self._note(worker, ClusterState(address, problem=problem))
        log.info("%s", problem)
        for job in list(worker.jobs.values()):
            self._give_back(worker, job, "the cluster is gone")

    # --- Processes ---

    def _start_worker(self) -> Worker:
        worker = self._start(WORKERS, serve)
        self._workers.append(worker)
        return worker

    def _connect(self, address: str) -> Worker:
        """Start the process that speaks with a cluster. A driver of Ray does not outlive its cluster: we must."""
        worker = self._start(SPAWNED, serve_cluster, address)
        worker.cluster = ClusterState(address)
        self._clusters[address] = worker
        return worker

    def _start(
        self, context: SpawnContext | ForkServerContext, function: Callable[..., None], *arguments: str
    ) -> Worker:
        ours, theirs = context.Pipe()
        # Daemons end with us in any orderly way; after any other they find that nobody listens.
        process = context.Process(target=function, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        return Worker(process, ours)

    def _end(self, workers: list[Worker]) -> None:
        for worker in workers:
            if worker.cluster:
                del self._clusters[worker.cluster.address]
                with suppress(StoreError):
                    self._note(worker, ClusterState(worker.cluster.address))  # Nobody knows any more what it is like.
            else:
                self._workers.remove(worker)
            worker.connection.close()
            worker.process.terminate()
            worker.process.join(END_SECONDS)
            worker.process.kill()  # Ray can take long to give up an attempt to connect.
            worker.process.join()


def serve_cluster(connection: Connection, address: str) -> None:
    """What the process that speaks with a cluster does. Ray is needed here alone."""
    try:
        from fmnist.training import ray_cluster
    except ImportError as error:
        problem = f"Ray can't be loaded ({error}): install it with {settings.how_to_install('ray')}."
        connection.send(ClusterState(address, problem=problem))
        return
    ray_cluster.serve(connection, address)


def _threads(run: Run, share: int) -> int:
    """How many threads a run may use that has so many cores to itself."""
    return max(1, min(ARCHITECTURES[run.recipe.model].parts, share))


def slots() -> int:
    """How many runs are trained side by side: one for each processor core that we may use, as far as memory goes."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        memory = 4 * WORKER_BYTES
    return max(1, min(cores(), MAX_SLOTS, memory // (2 * WORKER_BYTES)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fmnist.training.scheduler", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=store_path, default=store_path(), help="the store's file")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without work")
    parser.add_argument("--wait", action="store_true", help="for the end of a trainer that is at work")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        if settings.read_only():
            raise StoreError(settings.READ_ONLY)
        store = Store(options.runs)
        trainer = Scheduler(store)
        while True:
            # Others hold the lock for moments, to see whether it is free.
            with _held(_lock(store.path), timeout=-1 if options.wait else 2) as mine:
                if not mine:
                    return 0  # Another trainer is at work.
                store.interrupt_running()
                trainer.work(options.idle_seconds)
            # Somebody may have queued a run just before the lock was given back, and have seen it still held.
            if not store.runs(Status.QUEUED):
                return 0
    except StoreError as error:
        log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
