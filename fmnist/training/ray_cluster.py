"""Train on a Ray cluster. The only module that knows Ray (requirements-ray.txt).

The scheduler starts `serve` as a process of its own, since Ray ends a driver whose cluster is gone. It takes the same
orders as a worker and gives the same reports, of many runs at once: each is a Ray task with a streaming generator,
`worker.follow`, which reports as a worker on this machine would. The data are put into the cluster's object store once,
the package goes along as a runtime environment.

Ray's own messages are pickles: a cluster is trusted as this machine is.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray import exceptions

from fmnist import settings
from fmnist.data import files
from fmnist.store.run import Start, Status
from fmnist.training import worker
from fmnist.training.hardware import RUN_BYTES
from fmnist.training.messages import ClusterState, EndReport, LostReport, Node, Order, Prepare, Report, Stop
from fmnist.words import LOG_LINE, LOG_TIME, reason

LOOK_SECONDS = 0.05  # Between two looks at what the scheduler says.
HEAD_SECONDS = 1.0  # Between two looks whether the head is there.
NODES_SECONDS = 1.0  # Between two looks at the nodes.
CONNECT_SECONDS = 5.0  # That a cluster has to answer at its address.
GPU_SHARE = 0.25  # Of a GPU for a run: models of this size use a small part of one.

log = logging.getLogger("fmnist.training.ray_cluster")


class ClusterError(Exception):
    """A cluster that can't be used. The message is a sentence for the user."""


def serve(scheduler: Connection, address: str) -> None:
    """Do what the scheduler says until it, or the cluster, is gone."""
    logging.basicConfig(level=logging.INFO, format=LOG_LINE, datefmt=LOG_TIME)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        try:
            connect(address)
            threading.Thread(target=_end_with, args=(ray.get_runtime_context().gcs_address,), daemon=True).start()
            Driver(scheduler, address).work()
        except ClusterError as error:
            scheduler.send(ClusterState(address, problem=str(error)))


def connect(address: str) -> None:
    """Become a driver of a cluster.

    Args:
        address: "host:port" of the head, or "auto" for a cluster of which this machine is a node. A driver's machine
            has to be a node in either case: ray start --address=HOST:PORT --num-cpus=0.

    Raises:
        ClusterError: there is none, or it can't be used from here.
    """
    try:
        settings.checked_ray_address(address)
    except ValueError as error:
        raise ClusterError(f"{error}.") from None
    if address != "auto":
        _answers(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={
                "py_modules": [str(Path(__file__).parents[1])],
                "excludes": ["reference", "__pycache__"],
                # A run that asks for no GPU shall see none.
                "env_vars": {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"},
            },
        )
    except (ConnectionError, exceptions.RayError, RuntimeError, ValueError) as error:
        raise ClusterError(f"The Ray cluster at {address} {_refusal(error)}.") from error


def _refusal(error: BaseException) -> str:
    """Why a cluster does not take us, with what would help: the end of a sentence."""
    if str(error).startswith("Version mismatch"):
        found = re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))
        if len(found) == 2:
            (its_ray, its_python), (our_ray, our_python) = found
            return (
                f"runs Ray {its_ray} on Python {its_python}, and this program Ray {our_ray} on Python {our_python}: "
                f"both must be the same. Install the cluster's here (pip install "
                f"'ray=={its_ray}', in an environment of Python {its_python}), or these there"
            )
    return f"can't be used ({reason(error)})"


def _end_with(head: str) -> None:
    """End this process when the head is gone, which the scheduler notices: whatever call of Ray it is in would wait for
    the head for a minute."""
    while True:
        time.sleep(HEAD_SECONDS)
        try:
            _answers(head)
        except ClusterError:
            os._exit(1)


def _answers(address: str) -> None:
    """See that somebody listens at an address: Ray itself would wait for a minute or more, deaf to all signals.

    Raises:
        ClusterError: nobody does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"The Ray cluster at {address} does not answer ({reason(error)}): "
            "start it, or name another one with FMNIST_RAY_ADDRESS."
        ) from error


class Driver:
    """Passes orders on to a cluster, and reports back to the scheduler."""

    def __init__(self, scheduler: Connection, address: str) -> None:
        self._scheduler = scheduler
        self._state = ClusterState(address)
        self._names: dict[str, str] = {}  # of nodes, by their id
        self._looked = 0.0
        self._tasks: dict[int, ray.ObjectRefGenerator] = {}  # by the run's id
        self._stopped: set[int] = set()
        self._data: dict[str, ray.ObjectRef[files.Dataset]] = {}  # by the data's fingerprint

    def work(self) -> None:
        """Until the scheduler is gone."""
        while True:
            if time.monotonic() - self._looked >= NODES_SECONDS:
                self._look()
            while self._scheduler.poll(0 if self._tasks else LOOK_SECONDS):
                self._obey(self._scheduler.recv())
            if self._tasks:
                self._take_reports()

    def _look(self) -> None:
        """Tell the scheduler of the nodes, if they have changed."""
        self._looked = time.monotonic()
        alive = [node for node in ray.nodes() if node["Alive"]]
        shared = Counter(node["NodeName"] for node in alive)
        self._names |= {
            # Several nodes of one machine, as in tests, have the same name.
            node["NodeID"]: node["NodeName"] + (f" ({node['NodeID'][:6]})" if shared[node["NodeName"]] > 1 else "")
            for node in alive
        }
        found = [
            Node(
                self._names[node["NodeID"]], int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0))
            )
            for node in alive
        ]
        state = replace(self._state, nodes=tuple(sorted(found, key=lambda node: node.name)))
        if state != self._state:
            self._state = state
            self._scheduler.send(state)

    def _obey(self, message: Order | Stop | Prepare) -> None:
        match message:
            case Order():
                try:
                    images = self._put(worker.dataset(message))
                except files.DataError as error:
                    self._scheduler.send((message.run, EndReport(message.unless_begun, str(error))))
                    return
                self._tasks[message.run] = _train.options(**self._needs(message)).remote(message, images)
            case Stop() if message.run in self._tasks:
                self._stopped.add(message.run)
                ray.cancel(self._tasks[message.run])
            case Prepare():
                with suppress(files.DataError):  # Whoever asks for a run is told.
                    self._put(files.load(message.dataset, message.data_root, message.cache))

    def _put(self, images: files.Dataset) -> ray.ObjectRef[files.Dataset]:
        """The data in the cluster's object store: sent once, however many runs learn from them."""
        if images.fingerprint not in self._data:
            self._data[images.fingerprint] = ray.put(images)
        return self._data[images.fingerprint]

    def _needs(self, order: Order) -> dict[str, Any]:
        """What a run asks the cluster for."""
        gpus = sum(node.gpus for node in self._state.nodes)
        on_gpu = order.recipe.device == "cuda" or (order.recipe.device == "auto" and gpus)
        return {"num_cpus": order.threads, "num_gpus": GPU_SHARE if on_gpu else 0, "memory": RUN_BYTES}

    def _take_reports(self) -> None:
        ids = {task: id for id, task in self._tasks.items()}
        ready, _ = ray.wait(list(ids), num_returns=len(ids), timeout=LOOK_SECONDS, fetch_local=False)
        for task in ready:
            report = self._next(ids[task], task)
            self._scheduler.send((ids[task], report))
            if isinstance(report, EndReport | LostReport):
                del self._tasks[ids[task]]
                self._stopped.discard(ids[task])

    def _next(self, id: int, task: ray.ObjectRefGenerator) -> Report:
        """The next report of a run; what Ray says of it in our words."""
        try:
            report = ray.get(next(task))
        except StopIteration:
            return LostReport("Training on the cluster ended without a result.")
        except exceptions.RayError as error:
            return EndReport(Status.CANCELLED) if id in self._stopped else _end(error)
        if isinstance(report, Start) and report.node:  # A task knows its node by the id alone.
            return replace(report, node=self._names.get(report.node, report.node[:6]))
        return report


def _end(error: exceptions.RayError) -> EndReport | LostReport:
    """What an error of Ray means for a run: that it can't be trained, or that it has to go on elsewhere."""
    match error:
        case exceptions.RayTaskError():
            log.error("%s", error)
            why = reason(error.cause or error)
            return EndReport(Status.FAILED, f"A node of the cluster can't train it ({why}).")
        case exceptions.RuntimeEnvSetupError():
            log.error("%s", error)
            return EndReport(Status.FAILED, f"The program can't be sent to the cluster ({reason(error)}).")
        case exceptions.NodeDiedError():
            return LostReport("The node of the cluster that trained it is gone.")
        case exceptions.OutOfMemoryError():
            return LostReport("The node of the cluster that trained it ran out of memory.")
        case _:
            return LostReport(f"The cluster lost it ({reason(error)}).")


@ray.remote(num_returns="streaming", max_retries=0)
def _train(order: Order, images: files.Dataset) -> Iterator[Report]:
    """On a node of the cluster: train, and report. Ray interrupts it when it shall stop."""
    for report in worker.follow(order, lambda: images, stopped=lambda: False):
        if isinstance(report, Start):
            yield replace(report, node=ray.get_runtime_context().get_node_id())
        else:
            yield report
