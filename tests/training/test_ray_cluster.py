"""A real Ray cluster, several nodes as processes on this machine, works off the queue as this machine would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.answers import is_one_sentence
from helpers.processes import wait_for
from training.test_scheduler import ENDLESS, SMALL, ended, same_weights
from training.test_variations import EVERYTHING

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")

from ray.cluster_utils import Cluster

from fmnist.recipe import Recipe
from fmnist.settings import PROJECT
from fmnist.store.store import Store
from fmnist.training import launcher, loop, ray_cluster, scheduler, worker_handle
from fmnist.training.checkpoint import load_checkpoint
from fmnist.training.messages import ClusterState, LostReport, Node, Order
from fmnist.training.ray_cluster import ClusterError

CLOSED = "127.0.0.1:1"  # Nobody listens there.
LONG = {"epochs": 12, "batch_size": 2, "learning_rate": 0.01, **SMALL}
"""Seconds of training: its first epoch is seen long before its last."""


class Nodes:
    """A cluster with a head that trains nothing, and nodes of one core each."""

    def __init__(self, *names: str) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self._nodes: dict[str, Any] = {}
        self.address = self._cluster.address
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        self._nodes[name] = self._cluster.add_node(num_cpus=1, node_name=name)

    def kill(self, name: str) -> None:
        self._cluster.remove_node(self._nodes.pop(name), allow_graceful=False)

    def pull_away(self) -> None:
        """All at once, as when the network goes; a second time nothing."""
        for name in [*self._nodes]:
            self.kill(name)
        if self._cluster.head_node:
            self._cluster.remove_node(self._cluster.head_node, allow_graceful=False)


@pytest.fixture(scope="module")
def shared() -> Iterator[Nodes]:
    """A cluster for several tests, with one node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # Tests run beside each other: with Ray's 15 it would starve.
        for delay in ("period_ms", "initial_delay_ms"):  # Otherwise it takes many seconds to miss a node.
            patch.setenv(f"RAY_health_check_{delay}", "500")
        found = Nodes("node-a")
        yield found
        found.pull_away()


@pytest.fixture
def nodes(shared: Nodes, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """The same; trainers that are started use it."""
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", shared.address)
    return shared


def queue(store: Store, *recipes: Recipe) -> list[int]:
    """As pages do it, for the cluster, but with a key of our own for each."""
    keyed = [(recipe, recipe.key("data")) for recipe in recipes]
    return [id for id, _ in store.enqueue(keyed, store.path.parent, cluster=os.environ["FMNIST_RAY_ADDRESS"])]


def test_a_cluster_of_another_version_says_which_would_help(monkeypatch):
    from ray._private.utils import check_version_info

    of_another = {"ray_version": "2.9.0", "python_version": "3.10.1"}
    monkeypatch.setattr(ray_cluster.ray, "init", lambda **_: check_version_info(of_another, "10.0.0.1"))
    with pytest.raises(ClusterError) as refused:
        ray_cluster.connect("auto")
    assert is_one_sentence(refused.value)
    assert "runs Ray 2.9.0 on Python 3.10.1, and this program Ray" in str(refused.value)
    assert "pip install 'ray==2.9.0'" in str(refused.value)


def test_runs_are_trained_on_two_nodes_one_of_which_is_killed(warm, small_data, nodes):
    (endless,) = queue(warm, ENDLESS)
    launcher.start(warm)
    wait_for(lambda: warm.run(endless).node == "node-a", timeout=120)
    nodes.add("node-b")  # It has the only free core: the first of these is trained there, the other one waits.
    recipes = [Recipe("2", 0, **LONG | EVERYTHING), Recipe("2", 2, **LONG | {"epochs": 3})]
    first, waiting = ids = queue(warm, *recipes)
    wait_for(lambda: len(warm.history([first], recipes[0].evaluated_on)), timeout=200)
    run = warm.run(first)
    assert (run.status, run.node, warm.run(waiting).status) == ("running", "node-b", "queued")
    nodes.kill("node-b")
    said = launcher.log_path(warm.path)
    wait_for(lambda: "queued again: The node of the cluster that trained it is gone" in said.read_text())
    assert warm.run(endless).status == "running"  # The loss of one node leaves what another one trains as it is.
    warm.request_stop([endless])
    runs = ended(warm, *ids)
    assert {(run.status, run.node) for run in runs} == {("done", "node-a")}
    for recipe, run in zip(recipes, runs, strict=True):
        *_, alone = loop.train(recipe, small_data, threads=run.threads)
        assert same_weights(warm.weights(run.id), alone.weights)
        assert (warm.logits(run.id) == alone.logits).all()
        assert (warm.predicted_classes(run) == alone.predictions).all()
        assert warm.history([run.id], recipe.evaluated_on)["epoch"].tolist() == [*range(1, recipe.epochs + 1)]
    wait_for(lambda: "node-b" not in {node.name for node in launcher.cluster_state(warm, nodes.address).nodes})


def test_a_run_on_a_cluster_can_be_stopped_and_the_queue_goes_on(warm, small_data, nodes):
    (endless,) = queue(warm, ENDLESS)
    launcher.start(warm)
    wait_for(lambda: warm.artifact(endless, "checkpoint"), timeout=120)
    (other,) = queue(warm, Recipe("0", 1, epochs=1, **SMALL))
    warm.request_stop([endless])
    stopped, trained = ended(warm, endless, other)
    assert (stopped.status, trained.status) == ("cancelled", "done")
    assert len(warm.history([endless])) > 0 and warm.artifact(endless, "checkpoint")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (CLOSED, "does not answer"),
        ("head.invalid:6379", "does not answer"),
        ("head", "not the address of a Ray cluster"),
        (":6379", "not the address of a Ray cluster"),
        ("127.0.0.1:99999", "not the address of a Ray cluster"),
        ("ray://127.0.0.1:10001", "ray start"),
    ],
)
def test_an_address_without_a_cluster_is_told_in_a_sentence(address, words):
    with pytest.raises(ClusterError, match=words) as refused:
        ray_cluster.connect(address)
    assert is_one_sentence(refused.value)


def test_runs_wait_for_a_cluster_that_is_not_there_and_can_be_brought_home(warm, small_data, monkeypatch):
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", CLOSED)
    (id,) = queue(warm, Recipe("0", epochs=1, **SMALL))
    launcher.start(warm)
    address = os.environ["FMNIST_RAY_ADDRESS"]
    assert "does not answer" in wait_for(lambda: launcher.cluster_state(warm, address).problem)
    assert warm.run(id).status == "queued"
    warm.move_to_local(address)
    assert ended(warm, id)[0].status == "done"


def test_the_command_line_says_that_a_cluster_is_not_there_and_waits(warm, small_data):
    address = "127.0.0.1:2"  # Nobody listens there either, and the trainer has not said so before.
    command = [sys.executable, "-m", "fmnist", "train", "--ray", address, "--runs", str(warm.path)]
    command += ["--models", "0", "--dataset", "sample", "--epochs", "1", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = next(line for line in process.stderr if "does not answer" in line)
    assert "wait until it is back" in said
    warm.move_to_local(address)
    output, rest = process.communicate(timeout=120)
    assert process.returncode == 0 and output.startswith("Model 0, seed 0: ") and "Traceback" not in rest


def losing(_connection: Any, address: str) -> None:
    """A cluster that takes each run and loses it."""
    _connection.send(ClusterState(address, (Node("node", 1, 0),)))
    while True:
        match _connection.recv():
            case Order() as order:
                _connection.send((order.run, LostReport("The node ran out of memory.")))


def test_a_run_that_is_lost_again_and_again_is_interrupted(store, small_sample, monkeypatch):
    monkeypatch.setattr(worker_handle, "serve_cluster", losing)
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", "a cluster")
    (id,) = queue(store, Recipe("0", **SMALL))
    scheduler.Scheduler(store).work(idle_seconds=0)
    run = store.run(id)
    assert run.status == "interrupted"
    assert run.error.startswith("The node ran out of memory.") and f"{scheduler.MAX_LOSSES} times" in run.error


# Last, for the cluster is gone then.


def test_a_cluster_that_is_pulled_away_is_told_and_nothing_is_lost(warm, small_data, nodes):
    recipe = Recipe("0", 4, **LONG | {"epochs": 150})
    (id,) = queue(warm, recipe)
    launcher.start(warm)
    wait_for(lambda: warm.artifact(id, "checkpoint"), timeout=120)
    nodes.pull_away()
    wait_for(lambda: warm.run(id).status == "queued", timeout=120)
    problem = wait_for(lambda: launcher.cluster_state(warm, nodes.address).problem)
    assert is_one_sentence(problem) and nodes.address in problem
    epoch = load_checkpoint(warm.artifact(id, "checkpoint")).epoch
    assert 0 < epoch < recipe.epochs and len(warm.history([id])) > 0
    assert launcher.is_alive(warm)  # and looks whether it comes back

    warm.move_to_local(nodes.address)
    (run,) = ended(warm, id)
    assert (run.status, run.node) == ("done", None)
    *_, alone = loop.train(recipe, small_data)
    assert same_weights(warm.weights(id), alone.weights)
    assert warm.history([id], "test")["epoch"].tolist() == [*range(1, recipe.epochs + 1)]
