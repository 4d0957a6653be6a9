"""What Train shows of a Ray cluster, as a trainer has left it in the store. Ray itself is not needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.making import queued_run, running_run
from helpers.ui import again, labels, says, texts, visit

from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.store import Store
from fmnist.training import launcher, scheduler
from fmnist.training.messages import ClusterState, Node
from fmnist.training.worker_handle import WorkerHandle

TRAIN = "pages/1_Train.py"
ADDRESS = "10.0.0.5:6379"
NODES = (Node("head", 0, 0), Node("lab-1", 4, 0), Node("lab-2", 4, 1))


@pytest.fixture
def alive(store: Store) -> Iterator[None]:
    """A trainer that does nothing works on the store."""
    with launcher.held(launcher.lock(store.path)):
        yield


def on_cluster(store: Store, data: Dataset, seed: int, node: str) -> int:
    """A run that a node trains; its id."""
    id = running_run(store, Recipe("0", seed, "sample"), data)
    with store._write() as db:
        db.execute("UPDATE runs SET cluster = ?, node = ?, threads = 2 WHERE id = ?", (ADDRESS, node, id))
    return id


def tell(store: Store, state: ClusterState) -> None:
    scheduler.Scheduler(store)._note(WorkerHandle(None, None), state)


def test_the_nodes_are_shown_with_what_they_train(store, small_data, small_sample, alive):
    tell(store, ClusterState(ADDRESS, NODES))
    for seed, node in enumerate(("lab-1", "lab-2", "lab-2")):
        on_cluster(store, small_data, seed, node)
    at = visit(TRAIN)
    assert says(at, "2 nodes, 6 of 8 cores in use")
    assert any("Model 0, seed 0** on lab\\-1" in bar.proto.text for bar in at.get("progress"))
    [table] = [frame.value for frame in at.dataframe if "node" in frame.value]
    rows = table.set_index("node")
    assert rows["count"].to_dict() == {"lab-1": 1, "lab-2": 2}
    assert rows["used"].to_dict() == {"lab-1": 2, "lab-2": 4}
    assert rows.loc["lab-2", "runs"] == "Model 0, seed 1, Model 0, seed 2"


def test_a_cluster_that_is_gone_is_told_and_its_runs_can_be_taken_back(store, small_data, small_sample, alive):
    id = queued_run(store, Recipe("0", dataset="sample"), small_data)
    with store._write() as db:
        db.execute("UPDATE runs SET cluster = ? WHERE id = ?", (ADDRESS, id))
    tell(store, ClusterState(ADDRESS, problem=f"The Ray cluster at {ADDRESS} is gone."))
    at = visit(TRAIN)
    [warning] = [text for text in texts(at, "warning") if "is gone" in text]
    assert "1 run waits" in warning
    at.button(f"home-{ADDRESS}").click()
    again(at)
    assert store.run(id).cluster is None and store.run(id).status == "queued"
    assert not any("is gone" in text for text in texts(at, "warning"))


def test_read_only_shows_the_cluster_and_takes_nothing_back(store, small_data, small_sample, monkeypatch):
    id = queued_run(store, Recipe("0", dataset="sample"), small_data)
    with store._write() as db:
        db.execute("UPDATE runs SET cluster = ? WHERE id = ?", (ADDRESS, id))
    tell(store, ClusterState(ADDRESS, problem=f"The Ray cluster at {ADDRESS} is gone."))
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    at = visit(TRAIN)
    assert any("is gone" in text for text in texts(at, "warning"))
    assert "Train them on this machine" not in labels(at)


def test_new_runs_go_to_the_cluster_that_the_environment_names(store, small_sample, alive, monkeypatch):
    monkeypatch.setenv("FMNIST_RAY_ADDRESS", ADDRESS)
    at = visit(TRAIN)
    assert says(at, "Runs go to the Ray cluster at")
    at.button_group(key="dataset").set_value("sample")
    again(at)
    at.button("train").click()
    again(at)
    assert {run.cluster for run in store.runs("queued")} == {ADDRESS}


def test_without_a_cluster_nothing_is_said_of_one(store, small_data, small_sample, alive):
    queued_run(store, Recipe("0", dataset="sample"), small_data)
    assert not says(visit(TRAIN), "Ray")
