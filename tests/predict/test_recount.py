"""Runs that an earlier version finished, whose figures came from rounded logits: they get those of their weights."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.data_files import keep_as_sample
from helpers.making import beside_rounding
from helpers.processes import wait_for
from helpers.ui import HOME, visit

from fmnist import metrics, settings
from fmnist.data.files import DataMissing, Dataset
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import recount as recount_module
from fmnist.predict.recount import recount
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.arrays import pack
from fmnist.store.library import Library
from fmnist.store.run import Run, Start
from fmnist.store.store import Store
from fmnist.training import worker
from fmnist.training.messages import EndReport, Order, ProgressReport


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, small_data: Dataset) -> Path:
    """A store of today with a run in which rounding makes a difference (1), and one of Model 1 (2)."""
    folder = tmp_path_factory.mktemp("kept")
    keep_as_sample(small_data, folder)
    store = Store(folder / "fmnist.db")
    recipes = [Recipe(model, 0, "sample", 1, device="cpu") for model in ("0", "1")]
    store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes], Path("/"))
    with beside_rounding():
        train(store.claim(), store, small_data)
    train(store.claim(), store, small_data)
    store.close()
    return store.path


def train(run: Run, store: Store, data: Dataset) -> None:
    """What a worker and the scheduler do, in this process."""
    log = store.path.with_name("log")
    order = Order(run.id, run.recipe, ARCHITECTURES[run.recipe.model], Path("/"), log.parent, None, 1, None, log)
    for report in worker.follow(order, lambda: data, stopped=lambda: False):
        match report:
            case Start():
                store.record_start(run.id, report)
            case ProgressReport():
                store.record(run.id, **vars(report))
            case EndReport():
                store.finish(run.id, **vars(report))


@pytest.fixture
def old(kept: Path, runs_path: Path, small_sample: Dataset) -> Path:
    """The same as store version 2 had it."""
    shutil.copy(kept, runs_path)
    as_version_2(runs_path, small_sample.test_labels)
    return runs_path


def as_version_2(path: Path, labels: np.ndarray) -> None:
    """Count all finished runs as earlier versions did: from rounded logits, the first of several being taken."""
    with closing(Store(path)) as store, closing(sqlite3.connect(path)) as db, db:
        for run in store.runs("done"):
            predicted = metrics.predict(store.logits(run.id))
            accuracy = metrics.accuracy(predicted, labels)
            fields = "'$.test_accuracy', ?, '$.dead', json(?), '$.never_predicted', json(?)"
            never = str(metrics.never_predicted(predicted))
            values = accuracy, str(metrics.is_dead(predicted)).lower(), never, run.id
            db.execute(f"UPDATE runs SET result = json_set(result, {fields}) WHERE id = ?", values)
            db.execute("UPDATE history SET accuracy = ? WHERE run = ? AND split = 'test'", (accuracy, run.id))
            name = f"predictions/{run.recipe.epochs}"
            db.execute("UPDATE artifacts SET data = ? WHERE run = ? AND name = ?", (pack(predicted), run.id, name))
            checksums.attach(db, run.id)
        db.execute("DROP INDEX runs_rounded")
        db.execute("ALTER TABLE runs DROP COLUMN rounded")
        for table in ("labels", "deleted"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version = 2")


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(statement).rowcount == 1


def test_it_becomes_what_this_version_would_have_made_of_it(old, kept, small_data):
    now = Store(kept)
    store = Store(old)
    library = Library(store, reference=None)
    before = library.finished()["accuracy"].tolist()
    assert store.rounded_ids() == [1, 2] and all(run.rounded for run in store.runs())
    assert before[0] != now.run(1).result.test_accuracy, "no case to test: rounding makes no difference"
    assert library.predictions(store.run(1)).tolist() == metrics.predict(store.logits(1)).tolist()

    assert recount(store, lambda _: small_data) == 2
    assert store.rounded_ids() == [] and not any(run.rounded for run in store.runs())
    assert [store.contents(id) for id in (1, 2)] == [now.contents(id) for id in (1, 2)]  # With their seals.
    assert library.finished()["accuracy"].tolist() == [run.result.test_accuracy for run in now.runs()]
    assert np.array_equal(library.predictions(store.run(1)), now.predicted_classes(now.run(1)))
    assert recount(store, lambda _: small_data) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET result = json_set(result, '$.test_accuracy', 0.5) WHERE id = 1",
        "UPDATE artifacts SET data = (SELECT data FROM artifacts WHERE run = 2 AND name = 'logits') "
        "WHERE run = 1 AND name = 'logits'",
        "UPDATE artifacts SET data = x'00' WHERE run = 1 AND name = 'logits'",
        "UPDATE artifacts SET data = x'00' WHERE run = 1 AND name = 'weights'",
        "DELETE FROM artifacts WHERE run = 1 AND name = 'weights'",
        "UPDATE runs SET recipe = json_set(recipe, '$.model', 'gone') WHERE id = 1",
    ],
)
def test_one_that_was_changed_or_damaged_stays_as_it_is(statement, old, small_data):
    change(old, statement)
    store = Store(old)
    before = store.contents(1)
    assert recount(store, lambda _: small_data) == 1
    assert store.rounded_ids() == [1] and store.contents(1) == before


def test_without_data_all_stay_as_they_are_and_can_be_used(old):
    def load(_):
        raise DataMissing("not there")

    store = Store(old)
    assert recount(store, load) == 0 and store.rounded_ids() == [1, 2]
    assert Library(store, None).predictions(store.run(1)).shape == (100,)


def test_a_run_of_a_time_when_no_predictions_were_kept(old, kept, small_data):
    change(old, "DELETE FROM artifacts WHERE run = 2 AND name = 'predictions/1'")
    change(old, "DELETE FROM artifacts WHERE run = 2 AND name = 'seal'")
    store = Store(old)
    assert np.array_equal(store.predicted_classes(store.run(2)), metrics.predict(store.logits(2)))
    assert recount(store, lambda _: small_data) == 2
    now = Store(kept)
    assert np.array_equal(store.predicted_classes(store.run(2)), now.predicted_classes(now.run(2)))


@pytest.mark.usefixtures("bare_pages", "started")
def test_the_dashboard_has_it_done_beside_it(old, kept):
    assert not visit(HOME).exception
    store = Store(old)
    wait_for(lambda: not store.rounded_ids())
    assert store.contents(1) == Store(kept).contents(1)


@pytest.mark.usefixtures("bare_pages", "started")
def test_a_read_only_dashboard_shows_an_older_store_and_leaves_it(old, monkeypatch):
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    assert settings.read_only()
    before = old.read_bytes()
    assert not visit(HOME).exception
    store = Store(old)
    assert store.rounded_ids() == [1, 2] and store.run(1).rounded
    assert old.read_bytes() == before


def test_where_the_store_should_be_is_asked_only_where_none_is_named(old, monkeypatch, caplog):
    monkeypatch.setenv("FMNIST_RUNS", "~nobody-of-this-name/runs")
    assert recount_module.main([]) == 1 and is_one_sentence(caplog.messages[-1])
    assert recount_module.main(["--runs", str(old)]) == 0


def test_other_commands_say_that_it_can_be_done(old, fmnist):
    answer = fmnist("runs", "list")
    assert answer.code == 0 and is_one_sentence(answer.err.strip())
    assert answer.err.startswith(
        "fmnist: 2 runs of an earlier version: accuracy may be a few hundredths of a point off. "
    )
    assert fmnist("verify", 1).code == 0 and fmnist("runs", "list").err == ""


def test_commands_that_read_weights_have_it_done_first(old, kept, fmnist, tmp_path):
    answer = fmnist("verify", 1, 2)
    assert answer.code == 0 and answer.out.count(": agrees (") == 2
    assert answer.err == "fmnist: 2 runs of an earlier version: accuracy recomputed from the weights.\n"
    assert is_one_sentence(answer.err.strip())
    assert fmnist("verify", 1, 2).err == ""


def test_verify_says_what_could_not_be_counted_again(old, fmnist, monkeypatch):
    monkeypatch.setenv("FMNIST_READ_ONLY", "1")
    answer = fmnist("verify", 1)
    assert answer.code == 0 and "from rounded logits, and could not be counted again" in answer.out


def test_an_older_store_is_imported_and_counted_once(old, kept, fmnist, tmp_path, small_data):
    own = tmp_path / "own" / "fmnist.db"
    keep_as_sample(small_data, own.parent)
    for imported in ("Imported 2 runs.", "Imported 0 runs; 2 already here."):
        answer = fmnist("runs", "import", old, "--runs", own)
        assert answer.code == 0 and answer.out.strip() == imported
    assert Store(own).rounded_ids() == []
    assert Store(own).contents(1) == Store(kept).contents(1)
    assert fmnist("runs", "import", kept, "--runs", own).out.strip() == "Imported 0 runs; 2 already here."


def test_of_several_largest_rounded_logits_verify_knows_the_one_of_the_weights(kept, runs_path, fmnist, small_sample):
    shutil.copy(kept, runs_path)
    with closing(Store(runs_path)) as store:
        logits, predicted = store.logits(1), store.predictions(1, 1)
    image = int((logits == logits.max(axis=1, keepdims=True)).sum(axis=1).argmax())
    others = np.flatnonzero((logits[image] == logits[image].max()) & (np.arange(10) != predicted[image]))
    predicted[image] = others[-1]
    with closing(sqlite3.connect(runs_path)) as db, db:
        db.execute("DELETE FROM artifacts WHERE run = 1 AND name = 'seal'")
        db.execute("UPDATE artifacts SET data = ? WHERE run = 1 AND name = 'predictions/1'", (pack(predicted),))
    answer = fmnist("verify", 1)
    assert answer.code == 1 and f"first that of test image {image}: stored {others[-1]}" in answer.out
