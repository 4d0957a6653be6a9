"""A run in which something can't be read: named, left out, deletable; every other one is shown."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from helpers.answers import is_one_sentence
from helpers.making import finished_run, queued_run
from helpers.ui import COMPARE, CONFUSION, HOME, PAGES, PREDICT, TRAIN, again, says, visit

from fmnist.data.files import Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher
from fmnist.words import escape

DAMAGES = {
    "result cut": ("UPDATE runs SET result = '{' WHERE id = 1", "result"),
    "result empty": ("UPDATE runs SET result = '{}' WHERE id = 1", "result"),
    "result NULL": ("UPDATE runs SET result = NULL WHERE id = 1", "result"),
    "result bytes": ("UPDATE runs SET result = x'ff00fe' WHERE id = 1", "result"),
    "no such class": ("UPDATE runs SET result = json_set(result, '$.never_predicted', json('[77]')) WHERE id = 1", ""),
    "a time beyond all": ("UPDATE runs SET result = json_set(result, '$.train_seconds', 1e308) WHERE id = 1", "result"),
    "not UTF-8": ("UPDATE runs SET machine = CAST(x'ff' AS TEXT), result = '' WHERE id = 1", "result"),
    "a word for a time": ("UPDATE runs SET finished = 'yesterday' WHERE id = 1", "finished"),
    "a time of no year": ("UPDATE runs SET created = 9e99 WHERE id = 1", "created"),
    "versions cut": ("UPDATE runs SET versions = '{\"torch\": ' WHERE id = 1", "versions"),
    "recipe cut": ("UPDATE runs SET recipe = '{' WHERE id = 1", "recipe"),
    "recipe no text": ("UPDATE runs SET recipe = x'7b' WHERE id = 1", "recipe"),
    "recipe out of range": ("UPDATE runs SET recipe = json_set(recipe, '$.seed', -1) WHERE id = 1", "recipe"),
    "steps a word": ("UPDATE runs SET steps = 'many' WHERE id = 1", "steps"),
    "logits garbage": ("UPDATE artifacts SET data = x'00ff' WHERE run = 1 AND name = 'logits'", "logits"),
    "logits missing": ("DELETE FROM artifacts WHERE run = 1 AND name = 'logits'", "logits"),
    "predictions garbage": (
        "UPDATE artifacts SET data = x'00' WHERE run = 1 AND name = 'predictions/1'",
        "predictions",
    ),
    "predictions missing": ("DELETE FROM artifacts WHERE run = 1 AND name = 'predictions/1'", "predictions"),
    "weights garbage": ("UPDATE artifacts SET data = zeroblob(64) WHERE run = 1 AND name = 'weights'", "weights"),
    "a point a word": ("UPDATE history SET loss = 'low' WHERE run = 1 AND step = 3", "point"),
}


def damage(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement)
    db.close()


@pytest.fixture
def two_seeds(store: Store, small_sample: Dataset) -> Store:
    """Two finished runs of Model 0 (1 and 2), one of Model 1 (3)."""
    for recipe in (Recipe("0", 0, "sample", 1), Recipe("0", 1, "sample", 1), Recipe("1", 0, "sample", 1)):
        finished_run(store, recipe, small_sample, weights=True)
    return store


@pytest.mark.parametrize("name", DAMAGES)
def test_the_commands_name_it_and_show_the_others(name, two_seeds, fmnist, tmp_path):
    statement, what = DAMAGES[name]
    damage(two_seeds.path, statement)
    picture = tmp_path / "picture.png"
    from PIL import Image

    Image.linear_gradient("L").resize((28, 28)).save(picture)  # Larger, its item would be looked for: half a second.
    told = ""
    for command in (
        ("runs", "list"),
        ("runs", "list", "--format", "json"),
        ("compare",),
        ("predict", picture, "--dataset", "sample"),
        ("train", "--dataset", "sample", "--epochs", "1", "--seeds", "0", "--dry-run"),
    ):
        answer = fmnist(*command)
        assert answer.code == 0, answer.err
        assert "Traceback" not in answer.err and (answer.out or command[0] == "train")
        told += answer.err
    if what not in ("point", "logits", "predictions"):
        assert "Run 1 is damaged" in told and what in told
    refused = fmnist("export", 1, "--to", "csv", "--out", tmp_path / "out")
    assert "Traceback" not in refused.err
    assert "Traceback" not in fmnist("verify", 1).err and fmnist("verify", 1).code == 1
    answer = fmnist("runs", "delete", 1)
    assert answer.code == 0, answer.err
    assert [run.id for run in two_seeds.runs()] == [2, 3] and two_seeds.count() == 2


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.usefixtures("bare_pages", "started")
def test_the_pages_name_it_and_show_the_others(name, two_seeds):
    statement, what = DAMAGES[name]
    damage(two_seeds.path, statement)
    at = visit(HOME)
    seen = [at]
    for page in (COMPARE, CONFUSION, PREDICT, TRAIN):
        at.switch_page(page)
        seen.append(again(at))
        assert not any("Traceback" in error.value for error in at.error)
        if page != TRAIN:
            assert not says(at, "Nothing has been trained")
    if what not in ("point", "logits", "weights"):  # Those are read in a tab, and for an answer.
        assert says(at, "Run 1 is damaged") and says(at, what)
        at.multiselect(key="damaged-runs").set_value([1])
        again(at)
        at.button(key="delete-damaged").click()
        again(at)
        assert not says(at, "is damaged") and two_seeds.count() == 2


def test_a_damaged_run_does_not_stand_in_for_a_recipe_that_is_asked_for(two_seeds, small_sample):
    recipe = Recipe("0", 0, "sample", 1)
    damage(two_seeds.path, "UPDATE runs SET result = '{' WHERE id = 1")
    [(id, needed)] = two_seeds.enqueue([(recipe, recipe.key(small_sample.fingerprint))], Path("/"))
    assert id > 3 and needed


def test_a_damaged_newest_run_does_not_hide_an_earlier_one(two_seeds, small_sample):
    newer = finished_run(two_seeds, Recipe("1", 0, "sample", 1), small_sample)
    damage(two_seeds.path, f"UPDATE runs SET result = '{{' WHERE id = {newer.id}")
    assert [run.id for run in two_seeds.finished()] == [1, 2, 3]
    assert two_seeds.damaged() == {newer.id: "its result can't be read"}


def test_the_trainer_passes_a_damaged_run_by(store, small_sample):
    for seed in range(3):
        queued_run(store, Recipe("0", seed, "sample", 1), small_sample)
    damage(store.path, "UPDATE runs SET recipe = '{' WHERE id = 1")
    damage(store.path, "UPDATE runs SET recipe = json_set(recipe, '$.epochs', 0) WHERE id = 2")
    claimed = store.claim()
    assert claimed and claimed.id == 3
    assert store.run(1) is None and sorted(store.damaged()) == [1, 2]
    assert store.delete(1) and store.delete(2)


def test_a_setting_that_is_damaged_counts_as_never_chosen(two_seeds, small_sample):
    with two_seeds._write() as db:
        for name in ("data_root", launcher.EXPECTED, "cluster here:1"):
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, b"\xff\0"))
    assert two_seeds.setting("data_root") is None
    for value in ("{", "[1, 2]", "7"):
        two_seeds.set_setting(launcher.EXPECTED, value)
        two_seeds.set_setting("cluster here:1", value)
        assert launcher.slots_of(two_seeds, "here:1")
        launcher.expected_files(two_seeds)


@pytest.mark.parametrize("root", ["~nosuchuser/data", "a" * 5000])
@pytest.mark.usefixtures("started")
def test_where_a_chosen_data_root_is_none_another_one_can_be_chosen(root, store, monkeypatch):
    monkeypatch.delenv("FMNIST_DATA", raising=False)
    monkeypatch.setattr("fmnist.settings.home", lambda: store.path.parent)
    store.set_setting("data_root", root)
    at = visit(TRAIN)
    assert not at.error and "Folder on the dashboard's machine" in [field.label for field in at.text_input]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "of a newer version": lambda path: damage(path, "PRAGMA user_version = 99"),
    "without runs": lambda path: damage(path, "DROP TABLE runs"),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.usefixtures("started")
def test_where_the_reference_runs_cannot_be_read_that_is_said_and_ones_own_are_shown(
    how, reference, two_seeds, fmnist, monkeypatch
):
    BROKEN[how](reference)
    monkeypatch.setattr("fmnist.commands.options.Library", lambda own: Library(own, reference))
    said = f"{reference} can't be read, so there are no reference runs: install the project again."
    answer = fmnist("runs", "list", "--reference")
    assert (answer.code, answer.out.count("\n"), answer.err) == (0, 3, f"fmnist: {said}\n")
    at = visit(HOME)
    for page in (HOME, COMPARE, CONFUSION, PREDICT, TRAIN):
        at.switch_page(page)
        assert escape(said) in [warning.value for warning in again(at).warning] and not at.error
        assert not says(at, "Nothing has been trained")


@pytest.mark.parametrize("version", [0, -5])
@pytest.mark.usefixtures("bare_pages", "started")
def test_a_store_of_no_version_is_refused_in_a_sentence(version, two_seeds, fmnist):
    two_seeds.close()
    damage(two_seeds.path, f"PRAGMA user_version = {version}")
    before = two_seeds.path.read_bytes()
    with pytest.raises(StoreError) as refused:
        Store(two_seeds.path)
    assert is_one_sentence(refused.value) and str(version) in str(refused.value)
    answer = fmnist("runs", "list")
    assert answer.code == 1 and answer.err.count("\n") == 1
    at = visit(HOME)
    for page in PAGES[1:]:
        at.switch_page(page)
        again(at)
        assert says(at, escape(f"have version {version}")) or page == PAGES[-1]
    assert two_seeds.path.read_bytes() == before
