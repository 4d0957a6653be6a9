"""The trainer: a process of its own that takes queued runs from the store and has them trained by workers.

`python -m fmnist.trainer` lives on when the dashboard's server ends, and ends by itself when there has been
nothing to do for a while. For as long as it lives it holds a file lock: so there is never a second
one, and everybody notices at once when it is gone, however it went. It is the only one who writes results.

torch is imported in the workers alone (`fmnist.worker`).
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from filelock import FileLock, Timeout

from fmnist import data, own_models, store
from fmnist.models import ARCHITECTURES
from fmnist.store import Run, Store, StoreError
from fmnist.worker import STOP, Begun, Ended, Grown, Order, Prepare, cores, serve

POLL_SECONDS = 0.1  # Between two looks into the queue.
IDLE_SECONDS = 300.0
MOST_SLOTS = 8
WORKER_BYTES = 10**9  # Memory of a worker: torch and the images as floats (measured: 0.8 GB).
EXPECTED = "trainer_files"  # The setting of the store in which `_expected` stands.
PROCESSES = multiprocessing.get_context("spawn")  # Forked, they would inherit the lock and the open store.

log = logging.getLogger("fmnist.trainer")


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


def is_alive(runs: Store) -> bool:
    """Whether a trainer works on this store. If not, runs that it left behind are marked as interrupted."""
    with _held(_lock(runs.path)) as free:
        if free and runs.runs("running"):
            runs.interrupt_running()
    return not free


def start(runs: Store) -> None:
    """Start a trainer for this store, if none is alive. Returns at once; a second one ends by itself.

    One that knows nothing of the files with the user's own models that we know is followed by one that does, as soon as
    it has trained what it can.

    Raises:
        StoreError: the folder of the store can't be written.
    """
    command = [sys.executable, "-u", "-m", "fmnist.trainer", "--runs", str(runs.path)]
    if is_alive(runs):
        if own_models.files() <= _expected(runs):
            return
        runs.choose(EXPECTED, json.dumps(sorted(own_models.files())))
        command += ["--wait"]
    try:
        with log_path(runs.path).open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data.PROJECT,
                env=own_models.environment(),
                start_new_session=True,  # Ctrl-C and the end of the server must not reach it.
            )
    except OSError as error:
        raise StoreError(f"The trainer can't be started ({error.strerror or error}).") from error
    # Somebody has to take note of its end, else it stays in the process table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()


def _expected(runs: Store) -> set[str]:
    """The files with the user's own models that the trainer knows, or the one that waits for its end."""
    return set(json.loads(runs.setting(EXPECTED) or "[]"))


def last_words(path: Path) -> str:
    """The last line of the trainer's log, for a page that has to say why there is none."""
    try:
        lines = log_path(path).read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


# --- The process ---


@dataclass
class Worker:
    """A worker process, as the trainer sees it."""

    process: BaseProcess
    connection: Connection
    run: Run | None = None  # what it trains at the moment
    threads: int = 0  # that the run may use
    at_once: int = 1  # the most runs that were trained at the same time with it, itself included
    told_to_stop: bool = False


class Trainer:
    """Hands queued runs to workers, and writes down what they report."""

    def __init__(self, runs: Store) -> None:
        self.runs = runs
        self.slots = slots()
        self._workers: list[Worker] = []

    def work(self, idle_seconds: float) -> None:
        """Train what is queued; return when nothing was for `idle_seconds`.

        Raises:
            StoreError: nothing can be written any more; runs can be taken up again from their last saved epoch.
        """
        idle_since = time.monotonic()
        try:
            self.runs.choose(EXPECTED, json.dumps(sorted(own_models.files())))
            if idle_seconds:
                self._prepare()
            while True:
                # Whoever asks for one has had it tried. Those of before a file was changed may still be in the queue.
                own_models.refresh(self.runs.path.parent, keep_former=True, trying=False)
                self._hand_out()
                if busy := [worker for worker in self._workers if worker.run]:
                    for connection in wait([worker.connection for worker in busy], POLL_SECONDS):
                        self._take_report(next(worker for worker in busy if worker.connection is connection))
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since >= idle_seconds or self._is_followed():
                    return
                else:
                    self._end_workers(self._workers[1:])
                    time.sleep(POLL_SECONDS)
        except StoreError as error:
            for worker in self._workers:
                if worker.run:
                    log.info("run %d interrupted: %s", worker.run.id, error)
                    # If not even that can be written, whoever looks next finds a running run without a trainer.
                    with suppress(StoreError):
                        self.runs.finish(worker.run.id, "interrupted", error=str(error))
            raise
        finally:
            self._end_workers(self._workers[:])

    def _prepare(self) -> None:
        """Have what the next run will need loaded while nobody waits: seconds of torch, half a second of images."""
        self._start_worker()
        self._workers[0].connection.send(Prepare("fashion-mnist", self.runs.data_root(), self.runs.path.parent))

    def _is_followed(self) -> bool:
        """Whether another trainer waits for our end, to train models that we know nothing of."""
        return not _expected(self.runs) <= own_models.files()

    def _hand_out(self) -> None:
        """Give queued runs to idle workers: the next one, and side by side with it those that differ by seed only.

        Other models wait: times are compared between models, so each is trained under the same load. Of more seeds
        than there are slots the odd ones go first, with more threads each: left over, they would leave cores idle.
        """
        busy = [worker for worker in self._workers if worker.run]
        free = self.slots - sum(worker.threads for worker in busy)
        beside = busy[0].run if busy else None
        if free <= 0 or not (waiting := self.runs.waiting(beside)):
            return
        odd = waiting % self.slots if waiting > self.slots and not busy else 0
        claimed: list[Run] = []
        while len(claimed) < (odd or min(waiting, free)) and (run := self.runs.claim(beside)):
            claimed.append(run)
            beside = run
        at_once = len(busy) + len(claimed)
        for run in claimed:
            worker = next((worker for worker in self._workers if not worker.run), None) or self._start_worker()
            worker.run, worker.at_once, worker.told_to_stop = run, at_once, False
            worker.threads = min(ARCHITECTURES[run.recipe.model].parts, free // len(claimed))
            order = Order(
                run.recipe,
                ARCHITECTURES[run.recipe.model],
                Path(run.data_root),
                self.runs.path.parent,
                self.runs.artifact(run.id, "checkpoint"),
                worker.threads,
                log_path(self.runs.path),
            )
            log.info("run %d: %s, %s", run.id, run.name, run.recipe.describe())
            with suppress(OSError):  # It has died in the meantime, which shows when its report is awaited.
                worker.connection.send(order)
        for worker in busy:
            worker.at_once = max(worker.at_once, at_once)

    def _take_report(self, worker: Worker) -> None:
        """Write down what a worker says, and tell it if its run is no longer wanted."""
        run = worker.run
        assert run is not None
        try:
            report = worker.connection.recv()
        except (EOFError, OSError):  # Killed, out of memory, or a fault in a library.
            worker.process.join()
            report = Ended(
                "interrupted",
                f"The process that trained it ended unexpectedly (exit code {worker.process.exitcode}): "
                "it may have run out of memory.",
            )
            self._workers.remove(worker)
        match report:
            case Begun():
                self.runs.record_start(run.id, **report.facts)
            case Grown():
                wanted = self.runs.record(
                    run.id,
                    report.points,
                    images_per_second=report.images_per_second,
                    artifacts=report.artifacts,
                )
                if not wanted and not worker.told_to_stop:
                    worker.told_to_stop = True
                    with suppress(OSError):
                        worker.connection.send(STOP)
            case Ended():
                result = report.result and report.result | {"at_once": worker.at_once}
                self.runs.finish(
                    run.id,
                    report.status,
                    points=report.points,
                    result=result,
                    artifacts=report.artifacts,
                    error=report.error,
                )
                worker.run = None
                log.info("run %d %s%s", run.id, report.status, f": {report.error}" if report.error else "")

    def _start_worker(self) -> Worker:
        ours, theirs = PROCESSES.Pipe()
        # Daemons end with us in any orderly way; after any other they find that nobody listens.
        process = PROCESSES.Process(target=serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(Worker(process, ours))
        return self._workers[-1]

    def _end_workers(self, workers: list[Worker]) -> None:
        for worker in workers:
            self._workers.remove(worker)
            worker.connection.close()
            worker.process.terminate()
            worker.process.join()


def slots() -> int:
    """How many runs are trained side by side: one for each processor core that we may use, as far as memory goes."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows.
        memory = 4 * WORKER_BYTES
    return max(1, min(cores(), MOST_SLOTS, memory // (2 * WORKER_BYTES)))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fmnist.trainer", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=store.store_path, default=store.store_path(), help="the store's file")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without work")
    parser.add_argument("--wait", action="store_true", help="for the end of a trainer that is at work")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        runs = Store(options.runs)
        trainer = Trainer(runs)
        while True:
            # Others hold the lock for moments, to see whether it is free.
            with _held(_lock(runs.path), timeout=-1 if options.wait else 2) as mine:
                if not mine:
                    return 0  # Another trainer is at work.
                runs.interrupt_running()
                trainer.work(options.idle_seconds)
            # Somebody may have queued a run just before the lock was given back, and have seen it still held.
            if not runs.runs("queued"):
                return 0
    except StoreError as error:
        log.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
