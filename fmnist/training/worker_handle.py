"""A worker as the scheduler sees it: a process to which it gives runs, and from which it gets reports."""

from __future__ import annotations

import logging
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from fmnist import settings
from fmnist.store.artifacts import AT_ONCE
from fmnist.store.run import Run
from fmnist.training.messages import ClusterState, Order, Stop
from fmnist.training.worker import serve
from fmnist.words import reason

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

SPAWNED = multiprocessing.get_context("spawn")
"""What starts processes that inherit nothing, neither the lock of the scheduler nor its open store."""

SHORT_FOLDERS = ("/tmp", "/var/tmp")
"""Where sockets may lie if they can't in the temporary folder: their paths have at most some hundred bytes."""

END_SECONDS = 5.0  # That a process has to end when it is asked to.
START_SECONDS = 10.0  # For which starting one is tried.
RETRY_SECONDS = 0.1  # Between two tries.

log = logging.getLogger("fmnist.training.worker_handle")


class WorkerError(Exception):
    """No worker can be started. The message is a sentence for the user."""


@dataclass
class Job:
    """A run that is being trained."""

    run: Run
    threads: int  # that it may use
    at_once: int = 1  # the most runs that were trained at the same time on the same machine, itself included
    node: str | None = None  # of a cluster
    told_to_stop: bool = False
    heard: float = field(default_factory=time.monotonic)  # when the last report came

    def go_on_from(self, before: bytes | None) -> None:
        """Take over the load under which a run was trained up to its checkpoint.

        Args:
            before: the artifact `AT_ONCE`.
        """
        if before and before.isdigit():
            self.at_once = max(self.at_once, int(before))

    def with_load(self, artifacts: dict[str, bytes]) -> dict[str, bytes]:
        """Artifacts of a report; with a checkpoint, what `go_on_from` takes."""
        return artifacts | {AT_ONCE: b"%d" % self.at_once} if "checkpoint" in artifacts else artifacts


@dataclass
class WorkerHandle:
    """A process that has runs trained: here one at a time, on a cluster many."""

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

    def end(self) -> None:
        """End the process, however far it is."""
        self.connection.close()
        self.process.terminate()
        self.process.join(END_SECONDS)
        self.process.kill()  # Ray can take long to give up an attempt to connect.
        self.process.join()


@cache
def workers() -> SpawnContext | ForkServerContext:
    """What starts the workers of this machine.

    Forked from a process that has loaded torch and done nothing else, a worker more starts at once and shares its
    memory. That is done on Linux alone - elsewhere there is no fork, or system libraries do not survive it - and where
    there is a folder for the socket of that process.
    """
    if sys.platform != "linux":
        return SPAWNED
    folder = _socket_folder()
    if folder is None:
        log.info("no temporary folder takes a socket: each worker loads what it needs itself")
        return SPAWNED
    tempfile.tempdir = folder
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fmnist.training.preload"])
    return context


def _socket_folder() -> str | None:
    """A folder in which multiprocessing can make the socket of its fork server; None if there is none."""
    with suppress(OSError):  # No temporary folder can be used.
        if _takes_sockets(tempfile.gettempdir()):
            return tempfile.gettempdir()
    return next(filter(_takes_sockets, SHORT_FOLDERS), None)


def _takes_sockets(folder: str) -> bool:
    """Try it as multiprocessing will do it, with names as long as its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="pymp-", dir=folder) as place, socket.socket(socket.AF_UNIX) as tried:
            tried.bind(f"{place}/listener-{'x' * 8}")
    except OSError:  # Too long, not writable, or of a file system that has no sockets.
        return False
    return True


def start_worker() -> WorkerHandle:
    """A worker of this machine.

    Raises:
        WorkerError: none can be started.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return _start(workers(), serve)
        # The process from which it was to be forked was killed. There is another one as soon as it is quite gone.
        except (OSError, EOFError) as error:
            if time.monotonic() > deadline:
                raise WorkerError(f"No process can be started for training ({reason(error)}).") from error
            time.sleep(RETRY_SECONDS)


def connect(address: str) -> WorkerHandle:
    """The process that speaks with a cluster. A driver of Ray does not outlive its cluster: the scheduler must."""
    worker = _start(SPAWNED, serve_cluster, address)
    worker.cluster = ClusterState(address)
    return worker


def _start(context: SpawnContext | ForkServerContext, function: Callable[..., None], *arguments: str) -> WorkerHandle:
    ours, theirs = context.Pipe()
    # Daemons end with us in any orderly way; after any other they find that nobody listens.
    process = context.Process(target=function, args=(theirs, *arguments), daemon=True)
    try:
        process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return WorkerHandle(process, ours)


def serve_cluster(connection: Connection, address: str) -> None:
    """What the process that speaks with a cluster does. Ray is needed here alone."""
    try:
        from fmnist.training import ray_cluster
    except ImportError as error:
        problem = f"Ray can't be loaded ({reason(error)}): install it with {settings.how_to_install('ray')}."
        connection.send(ClusterState(address, problem=problem))
        return
    ray_cluster.serve(connection, address)
