"""The store: what one process writes every other reads, all of it or nothing; and a sentence when it can't."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers.making import result
from helpers.processes import wait_for

from fmnist.recipe import Recipe
from fmnist.settings import PROJECT
from fmnist.store.answers import Answers
from fmnist.store.arrays import pack, unpack
from fmnist.store.run import Point, Start, Status
from fmnist.store.store import Store, StoreError, store_path

ROOT = Path("/data root")


def add(store: Store, *recipes: Recipe, **options) -> list[int]:
    """Queue recipes under keys of their own."""
    return [id for id, _ in store.enqueue([(recipe, recipe.key("data")) for recipe in recipes], ROOT, **options)]


def begin(store: Store, id: int, step: int = 0) -> None:
    store.record_start(id, Start("cpu", 1, "m", {"torch": "2"}, parameters=5, multiply_adds=6, steps=30, step=step))


def point(step: int, split: str = "train", **changes) -> Point:
    return Point(**{"split": split, "step": step, "epoch": 1, "seconds": 0.1, "loss": 1.5, "accuracy": 0.5} | changes)


def finish(store: Store, id: int, **changes) -> None:
    values = {"result": result(), "artifacts": {"logits": pack(np.zeros((3, 10), np.float16))}} | changes
    store.finish(id, "done", **values)


def in_state(store: Store, status: str) -> int:
    """A run that came to a status in the usual way."""
    (id,) = add(store, Recipe("0", seed=77))
    if status == "queued":
        return id
    assert store.claim().id == id
    begin(store, id)
    if status == "done":
        finish(store, id)
    elif status == "interrupted":
        store.interrupt_running()
    elif status != "running":
        store.finish(id, status, error="It did not work." if status == "failed" else None)
    assert store.run(id).status == status
    return id


# Runs and their states


def test_a_queued_run_is_what_was_asked_for(store):
    (id,) = add(store, Recipe("2", 3, epochs=5))
    run = store.run(id)
    assert run.recipe == Recipe("2", 3, epochs=5) and run.key == run.recipe.key("data")
    assert (run.status, run.data_root, run.step, run.result, run.stop) == ("queued", str(ROOT), 0, None, False)
    assert (run.address, run.name, run.source) == (str(id), "Model 2, seed 3", "own")
    assert store.runs() == [run] and store.runs("done", "failed") == []
    assert store.run(id + 1) is None


def test_a_run_from_queue_to_result(store):
    id = in_state(store, "running")
    assert store.record(id, [point(10), point(20)], images_per_second=5.0, artifacts={"checkpoint": b"c"})
    running = store.run(id)
    assert (running.step, running.steps, running.images_per_second, running.where) == (20, 30, 5.0, "CPU")
    assert running.conditions == "CPU of m, alone"
    assert (running.parameters, running.multiply_adds, running.versions) == (5, 6, {"torch": "2"})
    logits = np.arange(30, dtype=np.float16).reshape(3, 10)
    artifacts = {"logits": pack(logits), "weights": b"w", "predictions/1": pack(np.arange(3, dtype=np.uint8))}
    store.finish(id, "done", points=[point(30), point(30, "test")], result=result(at_once=2), artifacts=artifacts)
    done = store.run(id)
    assert (done.status, done.result, done.step) == (Status.DONE, result(at_once=2), 30)
    assert done.created <= done.started <= done.finished
    assert np.array_equal(store.logits(id), logits) and store.logits(id).dtype == np.float16
    assert store.weights(id) == b"w" and store.predictions(id, 1).tolist() == [0, 1, 2]
    assert store.artifact(id, "checkpoint") is None  # no longer needed
    assert store.done_keys([(run.recipe, run.key) for run in store.runs()]) == {done.key}


def test_the_quickest_model_is_first_then_the_oldest(store):
    add(store, Recipe("2"), Recipe("1"), Recipe("0", 5), Recipe("0", 2))
    claimed = [store.claim().recipe for _ in range(4)]
    assert [(recipe.model, recipe.seed) for recipe in claimed] == [("0", 5), ("0", 2), ("1", 0), ("2", 0)]
    assert store.claim() is None
    assert {run.status for run in store.runs()} == {"running"}


@pytest.mark.parametrize("status", ["queued", "running", "interrupted", "done"])
def test_a_recipe_is_not_asked_for_twice(store, status):
    id = in_state(store, status)
    recipe = store.run(id).recipe
    assert store.enqueue([(recipe, recipe.key("data"))] * 2, ROOT) == [(id, status != "done")] * 2
    assert [run.status for run in store.runs()] == ["queued" if status == "interrupted" else status]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_failed_or_was_stopped_is_trained_anew(store, status):
    id = in_state(store, status)
    (new,) = add(store, store.run(id).recipe)
    assert new != id
    assert [run.status for run in store.runs()] == [status, "queued"]


def test_done_is_trained_again_if_wished_but_only_once(store):
    id = in_state(store, "done")
    recipe = store.run(id).recipe
    (new,) = add(store, recipe, again=True)
    assert new != id and add(store, recipe, again=True) == [new] == add(store, recipe)


def test_a_run_that_is_being_stopped_is_not_what_somebody_now_asks_for(store):
    id = in_state(store, "running")
    store.request_stop([id])
    (new,) = add(store, store.run(id).recipe)
    assert new != id


def test_an_interrupted_run_reads_the_data_where_they_are_now(store):
    id = in_state(store, "interrupted")
    recipe = store.run(id).recipe
    store.enqueue([(recipe, recipe.key("data"))], Path("/moved"))
    assert store.run(id).data_root == "/moved"


def test_stopping(store):
    add(store, Recipe("0"), Recipe("1"))
    running, queued = store.claim().id, store.runs("queued")[0].id
    store.request_stop([running, queued])
    assert [store.run(id).status for id in (running, queued)] == ["running", "cancelled"]
    assert not store.record(running, [point(1)], images_per_second=None, artifacts={})
    store.finish(running, "cancelled")
    assert store.run(running).stop is False
    assert len(store.history([running])) == 1  # what was trained so far is kept


@pytest.mark.parametrize("status", ["done", "failed", "cancelled", "interrupted"])
def test_stopping_what_has_ended_changes_nothing(store, status):
    id = in_state(store, status)
    before = store.run(id)
    store.request_stop([id, 999])
    assert store.run(id) == before


@pytest.mark.parametrize(
    "status, resumed", [("interrupted", True), ("cancelled", True), ("done", False), ("failed", False)]
)
def test_only_what_was_interrupted_or_stopped_can_be_resumed(store, status, resumed):
    id = in_state(store, status)
    assert store.resume(id) is resumed
    assert store.run(id).status == ("queued" if resumed else status)
    assert not resumed or (store.run(id).finished is None and store.claim().id == id)


def test_runs_without_a_trainer_are_interrupted_or_stopped_as_was_wished(store):
    ids = add(store, Recipe("0"), Recipe("1"), Recipe("2"))
    store.claim(), store.claim()
    store.request_stop(ids[:1])
    assert store.interrupt_running() == 2
    assert [store.run(id).status for id in ids] == ["cancelled", "interrupted", "queued"]
    assert not store.run(ids[0]).stop


@pytest.mark.parametrize("status, deleted", [("done", True), ("failed", True), ("queued", False), ("running", False)])
def test_deleting(store, status, deleted):
    id = in_state(store, status)
    if status == "running":
        store.record(id, [point(1)], images_per_second=None, artifacts={"checkpoint": b"c"})
    assert store.delete(id) == [id] * deleted
    assert (store.run(id) is None) is deleted
    if status == "done":
        assert store.artifact(id, "logits") is None and store.history([id]).empty
        with pytest.raises(StoreError, match=f"Run {id} has no logits"):
            store.logits(id)
        assert add(store, Recipe("0")) != [id]  # an old link never leads to another run


def test_resuming_forgets_points_after_the_checkpoint(store):
    id = in_state(store, "running")
    store.record(id, [point(step) for step in (10, 20, 30)], images_per_second=None, artifacts={})
    begin(store, id, step=20)
    assert store.history([id])["step"].tolist() == [10, 20]
    assert store.run(id).step == 20


def test_answers_on_the_way_replace_each_other_and_are_forgotten_at_the_end(store):
    id = in_state(store, "running")
    first, second = Answers(10, (3, 5), (9, 0)), Answers(20, (3, 5), (9, 1))
    for answers in (first, second):
        store.record(id, [point(answers.step)], images_per_second=None, artifacts={"answers": answers.to_bytes()})
        assert Answers.from_bytes(store.artifact(id, "answers")) == answers
    store.finish(id, "cancelled")
    assert Answers.from_bytes(store.artifact(id, "answers")) == second
    begin(store, id, step=0)
    assert store.artifact(id, "answers") is None
    store.finish(id, "done", result=result(), artifacts={"answers": first.to_bytes()})
    assert store.artifact(id, "answers") is None


@pytest.mark.parametrize(
    "data", [None, b"", b"[]", b"{}", b'{"step": 1, "images": [1], "classes": [1, 2]}', b"[" * 100_000, b"\xff", 7]
)
def test_what_is_no_answers_is_none(data):
    assert Answers.from_bytes(data) is None


def test_history_of_several_runs(store):
    ids = add(store, Recipe("0"), Recipe("1"))
    store.record(ids[1], [point(2, "test", loss=0.25), point(2), point(1)], images_per_second=None, artifacts={})
    store.record(ids[0], [point(9)], images_per_second=None, artifacts={})
    table = store.history(ids)
    assert list(table.columns) == ["run", "split", "step", "epoch", "seconds", "loss", "accuracy"]
    rows = [(ids[0], "train", 9), (ids[1], "test", 2), (ids[1], "train", 1), (ids[1], "train", 2)]
    assert list(table[["run", "split", "step"]].itertuples(index=False, name=None)) == rows
    assert table["loss"].tolist() == [1.5, 0.25, 1.5, 1.5]
    assert store.history([]).empty and list(store.history([]).columns) == list(table.columns)


def test_the_newest_request_is_what_was_asked_for_last_and_what_is_active(store):
    old, active = add(store, Recipe("0"), Recipe("2"))
    store.claim()
    finish(store, old)
    with store._write() as db:
        db.execute("UPDATE runs SET created = created - 1000")
    new = add(store, Recipe("1", 1), Recipe("0", 1))
    assert [run.id for run in store.newest_request()] == [new[1], new[0], active]


def test_the_newest_request_is_of_models_that_are_known(store):
    """A model whose file the dashboard was not told of was trained since: nobody is told that nothing was trained."""
    known, unknown = add(store, Recipe("0"), Recipe("1"))
    finish(store, known)
    with store._write() as db:
        db.execute(
            "UPDATE runs SET created = created + 1000, recipe = json_set(recipe, '$.model', 'soft') WHERE id = ?",
            (unknown,),
        )
    assert [run.id for run in store.newest_request()] == [known]


def test_settings_are_shared(store):
    assert store.setting("data") is None
    store.set_setting("data", "/a")
    store.set_setting("data", "/b")
    assert Store(store.path).setting("data") == "/b"


def test_the_change_counter_tells_of_every_writer(store):
    other = Store(store.path)
    seen = [store.change_counter()]
    for writer in (store, other):
        add(writer, Recipe("0", len(seen)))
        seen.append(store.change_counter())
    assert len(set(seen)) == 3
    assert store.change_counter() == seen[-1]


def test_a_run_of_an_unknown_model_is_left_alone(store):
    id = in_state(store, "queued")
    with store._write() as db:
        db.execute('UPDATE runs SET recipe = replace(recipe, \'"model": "0"\', \'"model": "from the future"\')')
    assert store.run(id) is None and store.runs() == [] and store.newest_request() == []


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int64])
def test_packed_arrays_come_back(dtype):
    array = np.arange(60).reshape(6, 10).astype(dtype)
    assert np.array_equal(unpack(pack(array)), array) and unpack(pack(array)).dtype == dtype


def test_no_pickle_is_ever_loaded():
    with pytest.raises(ValueError):
        pack(np.array([{}], dtype=object))


def test_where_the_store_is(tmp_path, monkeypatch):
    assert store_path(tmp_path) == tmp_path / "fmnist.db"
    assert store_path(tmp_path / "mine.db") == tmp_path / "mine.db"
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path / "elsewhere"))
    assert store_path() == tmp_path / "elsewhere" / "fmnist.db"
    monkeypatch.delenv("FMNIST_RUNS")
    assert store_path() == PROJECT / "runs" / "fmnist.db"


# All of it or nothing


def test_a_result_appears_completely_or_not_at_all(store):
    id = in_state(store, "running")
    store.record(id, [point(1)], images_per_second=None, artifacts={"checkpoint": b"c"})
    with pytest.raises(StoreError):  # A loss that is no number: the third thing to be written.
        finish(store, id, points=[point(2), point(3, loss=float("nan"))])
    assert store.run(id).status == "running" and store.run(id).result is None
    assert store.history([id])["step"].tolist() == [1]
    assert store.artifact(id, "logits") is None and store.artifact(id, "checkpoint") == b"c"
    finish(store, id, points=[point(2)])  # and the store can be written as before
    assert store.run(id).status == "done"


def test_a_batch_is_queued_completely_or_not_at_all(store):
    def recipes() -> Iterator[tuple[Recipe, str]]:
        yield Recipe("0"), "key"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.enqueue(recipes(), ROOT)
    assert store.runs() == []


# Several processes


def together(folder: Path, code: str, count: int = 2) -> list[str]:
    """What processes print that run the same code at once; each has `path` (of the store) and `go()` to wait with."""
    start = (
        "import sys; from pathlib import Path; from fmnist.store.store import Store; from fmnist.recipe import Recipe\n"
        "folder, me = Path(sys.argv[1]), sys.argv[2]; path = folder / 'fmnist.db'\n"
        "def go():\n    (folder / me).touch()\n    while not (folder / 'go').exists(): pass\n"
    )
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", start + code, str(folder)]
    processes = [
        subprocess.Popen([*command, f"ready{number}"], cwd=PROJECT, stdout=-1, stderr=-1, text=True)
        for number in range(count)
    ]
    try:
        wait_for(lambda: len(list(folder.glob("ready*"))) == count or any(p.poll() for p in processes))
        (folder / "go").touch()
        answers = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [error for _, error in answers if error] == []
    return [output for output, _ in answers]


@pytest.mark.parametrize("attempt", range(3))
def test_several_processes_make_the_same_new_store(tmp_path, attempt):
    assert together(tmp_path, "go(); print(len(Store(path).runs()))", count=4) == ["0\n"] * 4
    assert sqlite3.connect(tmp_path / "fmnist.db").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_store_waits_for_another_process_that_is_making_it(tmp_path):
    path = tmp_path / "fmnist.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as threads:
        opening = threads.submit(Store, path)
        try:
            with pytest.raises(TimeoutError):
                opening.result(timeout=0.5)
        finally:
            other.execute("ROLLBACK")
        assert opening.result().runs() == []


def test_no_run_is_claimed_twice(store):
    ids = add(store, *(Recipe("0", seed) for seed in range(200)))
    code = "store = Store(path); go()\nwhile run := store.claim(): print(run.id)"
    outputs = together(store.path.parent, code)
    claimed = [int(line) for output in outputs for line in output.split()]
    assert sorted(claimed) == ids


def test_no_recipe_is_queued_twice(store):
    code = (
        "store = Store(path); go()\n"
        "for seed in range(100): print(store.enqueue([(Recipe('0', seed), f'key {seed}')], Path('/'))[0][0])"
    )
    one, other = together(store.path.parent, code)
    assert one == other
    assert Counter(run.key for run in store.runs()) == {f"key {seed}": 1 for seed in range(100)}
