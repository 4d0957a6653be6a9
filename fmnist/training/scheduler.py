"""Scheduler: a process of its own that takes queued runs from the store and has them trained.

Runs for this machine go to workers (`fmnist.training.worker`), one each; runs for a Ray cluster to one process that
passes them on (`fmnist.training.ray_cluster`). Both take the same orders and give the same reports
(`fmnist.training.messages`).

`python -m fmnist.training.scheduler` lives on when the dashboard's server ends, and ends by itself when there has been
nothing to do for a while. For as long as it lives it holds a file lock (`fmnist.training.launcher`). It alone writes
what training reports.

torch is imported in the workers alone (`fmnist.training.worker`).
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

from fmnist import settings
from fmnist.background import ended_by_signals
from fmnist.data.catalog import DEFAULT
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.settings import SettingsError
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.database import DamagedStore
from fmnist.store.deletion import UNDO_SECONDS
from fmnist.store.run import Run, Start, Status
from fmnist.store.store import Store, StoreError, store_path
from fmnist.training import kernel_cache, launcher, socket_folder, worker_handle
from fmnist.training.hardware import slots
from fmnist.training.messages import ClusterState, EndReport, LostReport, Order, Prepare, ProgressReport, Report
from fmnist.training.worker_handle import Job, WorkerError, WorkerHandle
from fmnist.words import LOG_LINE, LOG_TIME

POLL_SECONDS = 0.1  # Between two looks into the queue.
IDLE_SECONDS = 300.0
SILENT_SECONDS = 30.0  # After which a run that is to be stopped is not waited for.
MAX_MESSAGES = 100  # Of a worker, between two looks into the queue.
CONNECT_SECONDS = 60.0  # That connecting to a cluster may take.
RETRY_SECONDS = 5.0  # Until a cluster that is gone is looked for again.
MAX_LOSSES = 3  # How often a cluster may lose a run before it has finished another epoch.
MAX_DEATHS = 2  # How often the worker of a run may die on this machine: once it is taken up again.
LOCK_SECONDS = 2.0  # To wait for the lock, until it is clear that another scheduler holds it.
log = logging.getLogger("fmnist.training.scheduler")


class Scheduler:
    """Hands queued runs to workers, and writes down what they report."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.slots = slots()
        self._workers: list[WorkerHandle] = []
        self._clusters: dict[str, WorkerHandle] = {}  # by address
        self._retries: dict[str, float] = {}  # when to look for a cluster again that is gone
        self._losses: Counter[int] = Counter()  # how often a cluster lost a run since its last epoch
        self._deaths: Counter[int] = Counter()  # how often a worker of this machine died with a run
        self.told_to_end = False

    def end(self, *_: object) -> None:
        """Have `work` return soon; what is being trained is interrupted. A handler of signals."""
        # No exception: it might come up where Python drops it, or between a process and its entry in our list.
        self.told_to_end = True

    def work(self, idle_seconds: float) -> None:
        """Train what is queued; return when nothing was for `idle_seconds`, or when told to (`end`).

        Raises:
            StoreError: nothing can be written any more; runs can be taken up again from their last saved epoch.
            WorkerError: nothing can be trained any more.
        """
        idle_since = time.monotonic()
        try:
            launcher.expect_files(self.store)
            if idle_seconds:
                self._prepare()
            while not self.told_to_end:
                # Whoever asks for one has had it tried. Those of before a file was changed may still be in the queue.
                custom.refresh(self.store.path.parent, keep_former=True, trying=False)
                self._hand_out()
                busy = self._is_busy()  # Also if the last run ends with these reports.
                self._take_reports()
                self._stop_what_hangs()
                if busy or self.store.waiting_for_clusters():  # A cluster that is gone may come back.
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since >= idle_seconds or self._is_followed():
                    return
                else:
                    self._end(self._workers[1:])
            self._interrupt("The scheduler ended while this run was being trained.")
        except (StoreError, WorkerError) as error:
            self._interrupt(str(error))
            raise
        finally:
            self._end(self._all())

    def _interrupt(self, reason: str) -> None:
        """Mark what is being trained as interrupted, for the scheduler ends."""
        for worker in self._all():
            for id in worker.jobs:
                log.info("run %d interrupted: %s", id, reason)
                # If not even that can be written, whoever looks next finds a running run without a scheduler.
                with suppress(StoreError):
                    self.store.finish(id, Status.INTERRUPTED, error=reason)

    def _all(self) -> list[WorkerHandle]:
        return [*self._workers, *self._clusters.values()]

    def _is_busy(self) -> bool:
        """Whether any run is being trained."""
        return any(worker.jobs for worker in self._all())

    def _prepare(self) -> None:
        """Have what the next run will need loaded while nobody waits: seconds of torch, half a second of images."""
        address = settings.ray_address()
        worker = self._connect(address) if address else self._start_worker()
        with suppress(OSError, SettingsError):  # Whoever asks for a run is told.
            worker.connection.send(Prepare(DEFAULT, self.store.data_root(), self.store.path.parent))

    def _is_followed(self) -> bool:
        """Whether another scheduler waits for our end, to train models that we know nothing of."""
        return not launcher.expected_files(self.store) <= custom.files()

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
            self._begin(self._idle_worker(), Job(run, _threads(run, free // len(claimed)), at_once))
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

    def _begin(self, worker: WorkerHandle, job: Job) -> None:
        if checkpoint := self.store.artifact(job.run.id, "checkpoint"):
            job.go_on_from(self.store.artifact(job.run.id, AT_ONCE))
        order = Order(
            job.run.id,
            job.run.recipe,
            ARCHITECTURES[job.run.recipe.model],
            Path(job.run.data_root),
            self.store.path.parent,
            checkpoint,
            job.threads,
            job.run.compiled if checkpoint else None,
            launcher.log_path(self.store.path),
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

    def _listen(self, worker: WorkerHandle) -> None:
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

    def _stop_what_hangs(self) -> None:
        """End the process of a run that is to be stopped, and says nothing: a custom model may wait for ever."""
        for worker in list(self._workers):
            for job in list(worker.jobs.values()):
                silent = time.monotonic() - job.heard
                if silent > SILENT_SECONDS and (run := self.store.run(job.run.id)) and run.stop:
                    said = f"It had said nothing for {silent:.0f} s when it was stopped, so its process was ended."
                    self._finish(worker, job, EndReport(Status.CANCELLED, said))
                    self._end([worker])

    def _write_down(self, worker: WorkerHandle, job: Job, report: Report) -> None:
        """Write down what is reported of a run, and stop it if it is no longer wanted."""
        run, job.heard = job.run, time.monotonic()
        match report:
            case Start():
                self.store.record_start(run.id, report)
                job.node = report.node
                beside = [other for other in worker.jobs.values() if other.node and other.node == job.node]
                for other in beside:
                    other.at_once = max(other.at_once, len(beside))
            case ProgressReport():
                kept, speed = job.with_load(report.artifacts), report.images_per_second
                wanted = self.store.record(run.id, report.points, images_per_second=speed, artifacts=kept)
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

    def _finish(self, worker: WorkerHandle, job: Job, end: EndReport) -> None:
        result = end.result and replace(end.result, at_once=job.at_once)
        self.store.finish(
            job.run.id, end.status, points=end.points, result=result, artifacts=end.artifacts, error=end.error
        )
        del worker.jobs[job.run.id]
        self._losses.pop(job.run.id, None)
        self._deaths.pop(job.run.id, None)
        log.info("run %d %s%s", job.run.id, end.status, f": {end.error}" if end.error else "")

    def _give_back(self, worker: WorkerHandle, job: Job, reason: str) -> None:
        """Queue a run again that was lost: it goes on elsewhere from its last finished epoch."""
        self.store.give_back(job.run.id)
        del worker.jobs[job.run.id]
        log.info("run %d queued again: %s", job.run.id, reason)

    def _note(self, worker: WorkerHandle, state: ClusterState) -> None:
        """Keep what a cluster is like, for the pages."""
        worker.cluster = state
        launcher.keep_cluster_state(self.store, state)

    def _bury(self, worker: WorkerHandle) -> None:
        """A process is gone that should be there: its runs go on if they can."""
        worker.connection.close()
        worker.process.join()
        if worker.cluster is None:
            self._workers.remove(worker)
            for job in list(worker.jobs.values()):
                self._take_up_again(worker, job)
            return
        address = worker.cluster.address
        del self._clusters[address]
        self._retries[address] = time.monotonic() + RETRY_SECONDS
        problem = worker.cluster.problem or f"The Ray cluster at {address} is gone: the connection to it was lost."
        self._note(worker, ClusterState(address, problem=problem))
        log.info("%s", problem)
        for job in list(worker.jobs.values()):
            self._give_back(worker, job, "the cluster is gone")

    def _take_up_again(self, worker: WorkerHandle, job: Job) -> None:
        """Have a run go on whose process is dead; if that has happened before, it would only happen again."""
        code = worker.process.exitcode
        how = f"ended unexpectedly ({f'signal {-code}' if code and code < 0 else f'exit code {code}'})"
        self._deaths[job.run.id] += 1
        if self._deaths[job.run.id] < MAX_DEATHS:
            self._give_back(worker, job, f"its process {how}")
            return
        reason = (
            f"The process that trained it {how}, {MAX_DEATHS} times: most likely there is not enough memory. "
            "Free some, or train fewer runs at once, then resume it."
        )
        self._finish(worker, job, EndReport(Status.INTERRUPTED, reason))

    # --- Processes ---

    def _idle_worker(self) -> WorkerHandle:
        """A worker that has nothing to do: one that lives, or a new one."""
        for worker in [worker for worker in self._workers if not worker.jobs]:
            if worker.process.is_alive():
                return worker
            self._end([worker])  # Killed while it waited: it must not take a run with it.
        return self._start_worker()

    def _start_worker(self) -> WorkerHandle:
        worker = worker_handle.start_worker()
        self._workers.append(worker)
        if worker_handle.workers() is not worker_handle.SPAWNED:
            socket_folder.note(self.store)
        return worker

    def _connect(self, address: str) -> WorkerHandle:
        worker = self._clusters[address] = worker_handle.connect(address)
        return worker

    def _end(self, workers: list[WorkerHandle]) -> None:
        for worker in workers:
            if worker.cluster:
                del self._clusters[worker.cluster.address]
                with suppress(StoreError):
                    self._note(worker, ClusterState(worker.cluster.address))  # Nobody knows any more what it is like.
            else:
                self._workers.remove(worker)
            worker.end()


def _threads(run: Run, share: int) -> int:
    """How many threads a run may use that has so many cores to itself."""
    return max(1, min(ARCHITECTURES[run.recipe.model].parts, share))


def serve(scheduler: Scheduler, idle_seconds: float, *, waits: bool) -> None:
    """Take the lock of the store and work; nothing where another scheduler is at work.

    Args:
        waits: for the end of one that is at work.
    """
    store = scheduler.store
    while not scheduler.told_to_end:
        # Others hold the lock for moments, to see whether it is free.
        with launcher.held(launcher.lock(store.path), timeout=LOCK_SECONDS) as mine:
            if mine:
                store.interrupt_running()
                with suppress(DamagedStore):  # Which pages say; training goes on.
                    store.make_deletion_final(older_than=UNDO_SECONDS)
                socket_folder.remove_former(store)
                scheduler.work(idle_seconds)
        # Somebody may have queued a run just before the lock was given back, and have seen it still held.
        if not store.runs(Status.QUEUED) if mine else not waits:
            return


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fmnist.training.scheduler", description=__doc__.partition("\n")[0])
    # Given as a text, the default is read only where no other is named: FMNIST_RUNS may be wrong.
    parser.add_argument("--runs", type=store_path, default="", help="the store's file")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end after so long without work")
    parser.add_argument("--wait", action="store_true", help="for the end of a scheduler that is at work")
    logging.basicConfig(level=logging.INFO, format=LOG_LINE, datefmt=LOG_TIME)
    try:
        options = parser.parse_args(arguments)
        if settings.read_only():
            raise StoreError(settings.READ_ONLY)
        store = Store(options.runs)
        kernel_cache.keep_beside(store.path)
        scheduler = Scheduler(store)
        with ended_by_signals(scheduler.end):
            serve(scheduler, options.idle_seconds, waits=options.wait)
    except (StoreError, SettingsError, WorkerError) as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
