"""Verify: silent about what was trained, and it names whatever was changed in a store since."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.answers import is_one_sentence
from helpers.data_files import keep_as_sample
from helpers.making import ended_run, result, running_run
from safetensors.torch import load, save

from fmnist import __main__ as cli
from fmnist.recipe import Recipe
from fmnist.store import checksums
from fmnist.store.arrays import pack, unpack
from fmnist.store.run import Status
from fmnist.store.store import Store, StoreError
from fmnist.training.scheduler import Scheduler

RUN, LAST = 2, "test point at step 22"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, small_data) -> Path:
    """A folder with a store in which each model was really trained, two epochs of 11 steps; run 2 is Model 1's."""
    folder = tmp_path_factory.mktemp("kept")
    keep_as_sample(small_data, folder)
    store = Store(folder / "fmnist.db")
    recipes = [Recipe(model, 0, "sample", 2, device="cpu") for model in ("0", "1", "2")]
    store.enqueue([(recipe, recipe.key(small_data.fingerprint)) for recipe in recipes], Path("/"))
    Scheduler(store).work(idle_seconds=0)
    assert [run.id for run in store.runs("done")] == [1, 2, 3]
    store.close()
    return folder


@pytest.fixture
def path(kept: Path, runs_path: Path) -> Path:
    """A copy of that store, to be changed."""
    shutil.copytree(kept, runs_path.parent)
    return runs_path


@pytest.fixture
def verify(path: Path, capsys) -> Callable[..., tuple[int, list[dict]]]:
    """Call the command for the own runs: its exit code and verdicts."""

    def call(*addresses: str) -> tuple[int, list[dict]]:
        capsys.readouterr()
        code = cli.main(["verify", *(addresses or ("1", "2", "3")), "--json", "--runs", str(path)])
        return code, json.loads(capsys.readouterr().out)

    return call


def change(path: Path, statement: str, *values: object) -> None:
    """What somebody does who opens the file with SQLite."""
    with sqlite3.connect(path) as db:
        assert db.execute(statement, values).rowcount == 1
    db.close()


def rewrite(path: Path, name: str, how: Callable[[bytes], bytes]) -> None:
    """Change an artifact."""
    with sqlite3.connect(path) as db:
        (before,) = db.execute("SELECT data FROM artifacts WHERE run = ? AND name = ?", (RUN, name)).fetchone()
    db.close()
    change(path, "UPDATE artifacts SET data = ? WHERE run = ? AND name = ?", how(before), RUN, name)


def unseal(path: Path) -> None:
    """Make it a run from before there were seals."""
    change(path, "DELETE FROM artifacts WHERE run = ? AND name = ?", RUN, checksums.NAME)


def set_column(column: str, value: object) -> Callable[[Path], None]:
    return lambda path: change(path, f"UPDATE runs SET {column} = ? WHERE id = ?", value, RUN)


def set_field(field: str, value: object) -> Callable[[Path], None]:
    statement = f"UPDATE runs SET result = json_set(result, '$.{field}', json(?)) WHERE id = ?"
    return lambda path: change(path, statement, json.dumps(value), RUN)


def set_point(split: str, step: int, column: str, value: float) -> Callable[[Path], None]:
    statement = f"UPDATE history SET {column} = ? WHERE run = ? AND split = ? AND step = ?"
    return lambda path: change(path, statement, value, RUN, split, step)


def set_logit(difference: Callable[[np.float16], float]) -> Callable[[Path], None]:
    def edit(blob: bytes) -> bytes:
        logits = unpack(blob).copy()
        logits[17, 8] += difference(logits[17].max())
        return pack(logits)

    return lambda path: rewrite(path, "logits", edit)


def set_prediction(epoch: int) -> Callable[[Path], None]:
    def edit(blob: bytes) -> bytes:
        predictions = unpack(blob).copy()
        predictions[5] = (predictions[5] + 1) % 10
        return pack(predictions)

    return lambda path: rewrite(path, f"predictions/{epoch}", edit)


def set_weight(name: str, place: tuple[int, ...], by: float | None = None) -> Callable[[Path], None]:
    """One weight of Model 1, by a number or to the next one that there is."""

    def edit(blob: bytes) -> bytes:
        weights = load(blob)
        before = weights[name][place]
        weights[name][place] = before + by if by else torch.nextafter(before, torch.tensor(1e9))
        return save(weights)

    return lambda path: rewrite(path, "weights", edit)


# Seals


def test_a_run_is_sealed_when_it_is_done(path):
    store = Store(path)
    contents, kept = store.contents(RUN)
    assert kept == checksums.sums(contents) and store.artifact(RUN, "checkpoint") is None
    assert {"test_loss", "single_seconds", "weights", "logits", "predictions/1", LAST, "recipe"} < set(kept)
    store.close()


@pytest.mark.parametrize("status", ["failed", "cancelled", "interrupted"])
def test_what_has_ended_otherwise_has_no_seal(store, small_data, status):
    id = ended_run(store, Recipe("0", dataset="sample"), small_data, status)
    assert store.contents(id)[1] is None and store.sealed_ids() == []


def test_the_seal_comes_with_the_end_or_not_at_all(store, small_data, monkeypatch):
    id = running_run(store, Recipe("0", dataset="sample"), small_data)

    def fail(*_):
        raise sqlite3.OperationalError("no")

    monkeypatch.setattr(checksums, "attach", fail)
    with pytest.raises(StoreError):
        store.finish(id, Status.DONE, result=result())
    assert store.run(id).status == "running" and store.contents(id)[1] is None


def test_sums_tell_the_last_digit_and_do_not_depend_on_order():
    first, other = (checksums.sums({"loss": value}) for value in (0.1, np.nextafter(0.1, 1)))
    assert first != other
    assert checksums.sums({"a": {"x": 1, "y": 2}}) == checksums.sums({"a": {"y": 2, "x": 1}})


# What was trained


def test_what_was_trained_agrees(verify, path, capsys):
    code, verdicts = verify()
    assert code == 0
    assert [(verdict["run"], verdict["name"]) for verdict in verdicts] == [
        ("1", "Model 0, seed 0"),
        ("2", "Model 1, seed 0"),
        ("3", "Model 2, seed 0"),
    ]
    for verdict in verdicts:
        assert verdict["agrees"] and not verdict["disagreements"] and not verdict["remarks"]
        # Two curves of 22 and 2 points, weights, logits, two epochs' predictions, and the figures.
        assert verdict["sealed"] > 22 + 2 + 4 + 20 and verdict["recomputed"] >= 15
    assert cli.main(["verify", "3", "--runs", str(path)]) == 0
    assert capsys.readouterr().out.startswith("3 Model 2, seed 0: agrees (")


def test_a_run_from_before_seals_agrees_as_far_as_can_be_seen(verify, path):
    unseal(path)
    code, (verdict,) = verify("2")
    assert code == 0 and verdict["sealed"] is None
    assert "no checksums" in verdict["remarks"][0] and is_one_sentence(verdict["remarks"][0])


def test_another_place_of_the_data_changes_nothing(verify, path):
    set_column("data_root", "/moved")(path)
    assert verify("2")[0] == 0


# What was changed

RECOMPUTED = {
    "test_loss": set_field("test_loss", 0.5),
    "test_accuracy": set_field("test_accuracy", 0.99),
    "dead": set_field("dead", True),
    "never_predicted": set_field("never_predicted", [0, 1, 2, 3]),
    "zero_layers": set_field("zero_layers", ["2"]),
    "train_seconds": set_field("train_seconds", 0.001),
    "eval_seconds": set_field("eval_seconds", -1),
    "steps": set_column("steps", 23),
    "step": set_column("step", 21),
    "parameters": set_column("parameters", 7_961),
    "multiply_adds": set_column("multiply_adds", 7_941),
    "key": set_column("key", "0" * 32),
    "logits": set_logit(lambda largest: 1.0),
    "predictions/2": set_prediction(2),
    "weights": lambda path: rewrite(path, "weights", lambda blob: blob[:-4]),
    "test point at step 11": set_point("test", 11, "accuracy", 0.99),
    LAST: set_point("test", 22, "loss", 0.5),
    "train point at step 7": set_point("train", 7, "epoch", 2),
    "train point at step 9": set_point("train", 9, "accuracy", 1.01),
}
"""What is noticed even in a run that has no seal."""

SEALED = {
    "recipe": set_column("recipe", Recipe("1", 0, "sample", 2, learning_rate=0.2, device="cpu").to_json()),
    "status": set_column("status", "failed"),
    "created": set_column("created", 1.0),
    "finished": set_column("finished", 1.0),
    "device": set_column("device", "NVIDIA H100"),
    "threads": set_column("threads", 2),
    "machine": set_column("machine", "A quicker one"),
    "versions": set_column("versions", "{}"),
    "images_per_second": set_column("images_per_second", 1e6),
    "image_seconds": set_field("image_seconds", 1e-9),
    "single_seconds": set_field("single_seconds", 1e-9),
    "at_once": set_field("at_once", 2),
    "a field": lambda path: set_field("more", 1)(path),
    "logits": set_logit(lambda largest: np.spacing(largest)),
    "predictions/1": set_prediction(1),
    # A pixel in a corner, which is 0 in every image: no answer depends on it.
    "weights": set_weight("1.weight", (0, 0)),
    "train point at step 1": set_point("train", 1, "loss", 2.3),
    "train point at step 2": set_point("train", 2, "accuracy", 0.5),
    "train point at step 22": set_point("train", 22, "accuracy", 0.5),
    "test point at step 11": set_point("test", 11, "loss", 0.5),
}
"""What only the seal can notice."""


def named(verdict: dict) -> set[str]:
    for disagreement in verdict["disagreements"]:
        assert disagreement["sentence"].startswith(f"{disagreement['figure']}: ")
        assert is_one_sentence(disagreement["sentence"])
    return {disagreement["figure"] for disagreement in verdict["disagreements"]}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "no seal"])
@pytest.mark.parametrize("figure", RECOMPUTED)
def test_what_follows_from_something_else_is_named_when_changed(figure, sealed, verify, path):
    if not sealed:
        unseal(path)
    RECOMPUTED[figure](path)
    code, (verdict,) = verify("2")
    assert code == 1 and not verdict["agrees"]
    assert figure in named(verdict)


@pytest.mark.parametrize("figure", SEALED)
def test_what_follows_from_nothing_is_named_when_changed(figure, verify, path):
    SEALED[figure](path)
    code, (verdict,) = verify("2")
    assert code == 1 and not verdict["agrees"]
    assert named(verdict)
    changed = [found["figure"] for found in verdict["disagreements"] if found["changed"]]
    assert changed == [figure if figure != "a field" else "more"]


def test_both_numbers_are_said(verify, path):
    true = json.loads(sqlite3.connect(path).execute("SELECT result FROM runs WHERE id = 2").fetchone()[0])["test_loss"]
    set_field("test_loss", 0.5)(path)
    _, (verdict,) = verify("2")
    (found,) = verdict["disagreements"]
    assert (found["figure"], found["stored"], found["recomputed"]) == ("test_loss", 0.5, pytest.approx(true))
    said = f"test_loss: stored 0.5, from the logits {found['recomputed']}. Changed since the run ended."
    assert found["sentence"] == said


def test_what_is_only_a_consequence_is_told_from_its_cause(verify, path):
    set_logit(lambda largest: 1.0)(path)
    _, (verdict,) = verify("2")
    changed = {found["figure"]: found["changed"] for found in verdict["disagreements"]}
    assert changed["logits"] and not changed["test_loss"]
    unseal(path)
    _, (verdict,) = verify("2")
    assert {found["changed"] for found in verdict["disagreements"]} == {None}


def test_a_changed_logit_is_found(verify, path, capsys):
    set_logit(lambda largest: 1.0)(path)
    assert cli.main(["verify", "2", "1", "--runs", str(path)]) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("2 Model 1, seed 0: ") and "do not match" in first
    assert "logits: 1 of 1,000 is not what the weights give" in lines[0] and "test image 17, class Bag" in lines[0]
    assert lines[-1].startswith("1 Model 0, seed 0: agrees")


@pytest.mark.parametrize(
    "weight",
    [set_weight("1.weight", (3, 400)), set_weight("1.bias", (2,)), set_weight("3.weight", (1, 1), 0.5)],
    ids=["one in the next digit", "a bias in the next digit", "one by a half"],
)
def test_any_changed_weight_is_named(weight, verify, path):
    weight(path)
    code, (verdict,) = verify("2")
    assert code == 1 and "weights" in named(verdict)


@pytest.mark.parametrize(
    "figure, statement",
    [
        ("train point at step 3", "DELETE FROM history WHERE run = 2 AND split = 'train' AND step = 3"),
        (LAST, "DELETE FROM history WHERE run = 2 AND split = 'test' AND step = 22"),
        ("test point at step 12", "INSERT INTO history VALUES (2, 'test', 12, 2, 1e9, 0.1, 0.9)"),
        ("train point at step 23", "INSERT INTO history VALUES (2, 'train', 23, 3, 1e9, 0.1, 0.9)"),
        ("train point at step 3", "UPDATE history SET loss = x'00' WHERE run = 2 AND split = 'train' AND step = 3"),
        ("train point at step 3", "UPDATE history SET step = 'odd' WHERE run = 2 AND split = 'train' AND step = 3"),
        ("weights", "DELETE FROM artifacts WHERE run = 2 AND name = 'weights'"),
        ("logits", "DELETE FROM artifacts WHERE run = 2 AND name = 'logits'"),
        ("logits", "UPDATE artifacts SET data = x'00' WHERE run = 2 AND name = 'logits'"),
        ("predictions/1", "UPDATE artifacts SET data = 'text' WHERE run = 2 AND name = 'predictions/1'"),
        ("weights", "UPDATE artifacts SET data = (SELECT data FROM artifacts WHERE run = 3 AND name = 'weights') "
         "WHERE run = 2 AND name = 'weights'"),
        ("logits", "UPDATE artifacts SET data = (SELECT data FROM artifacts WHERE run = 2 AND name = 'predictions/1') "
         "WHERE run = 2 AND name = 'logits'"),
        ("seal", "UPDATE artifacts SET data = x'00' WHERE run = 2 AND name = 'seal'"),
        ("test_loss", "UPDATE runs SET result = json_remove(result, '$.test_loss') WHERE id = 2"),
        ("test_loss", "UPDATE runs SET result = 'nonsense' WHERE id = 2"),
        ("versions", "UPDATE runs SET versions = 'nonsense' WHERE id = 2"),
        ("recipe", "UPDATE runs SET recipe = 'nonsense' WHERE id = 2"),
        ("recipe", "UPDATE runs SET recipe = json_set(recipe, '$.model', '77') WHERE id = 2"),
        ("steps", "UPDATE runs SET steps = x'FF' WHERE id = 2"),
    ],
)  # fmt: skip
def test_what_is_missing_added_or_damaged_is_named(figure, statement, verify, path):
    change(path, statement)
    code, (verdict,) = verify("2")
    assert code == 1 and figure in named(verdict)
    assert all("Traceback" not in disagreement["sentence"] for disagreement in verdict["disagreements"])


def test_a_run_of_a_model_that_this_program_does_not_have_is_only_compared_with_its_seal(verify, path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE runs SET recipe = json_set(recipe, '$.model', '77') WHERE id = ?", (RUN,))
        checksums.attach(db, RUN)
    db.close()
    code, (_, verdict, _) = verify()
    assert code == 0 and verdict["name"] == "a run of an unknown model" and verdict["recomputed"] == 0
    assert "does not have its model" in verdict["remarks"][0]


def test_a_model_whose_code_has_changed_since_is_remarked(verify, monkeypatch):
    monkeypatch.setattr("fmnist.recipe.TRAINING_VERSION", 99)
    code, (verdict,) = verify("2")
    assert code == 0 and "training loop" in verdict["remarks"][0]


# What can't be verified


@pytest.mark.parametrize("address", ["one", "-1", "²", ""])
def test_what_is_no_address_is_wrong_usage(address, path, capsys):
    assert cli.main(["verify", "--runs", str(path), "--", address]) == 2
    answer = capsys.readouterr()
    assert answer.out == "" and f"{address!r} is not the address of a run" in answer.err


@pytest.mark.parametrize("address", ["77", "reference-77", "nothing-1", str(2**70)])
def test_a_run_that_is_not_there(address, path, capsys):
    assert cli.main(["verify", "--runs", str(path), "--", address]) == 1
    answer = capsys.readouterr()
    assert answer.out == "" and address in answer.err and is_one_sentence(answer.err.strip())


def test_without_the_data(path, tmp_path, capsys):
    assert cli.main(["verify", "--runs", str(path), "--data", str(tmp_path / "nothing")]) == 1
    answer = capsys.readouterr()
    assert len(answer.out.splitlines()) == 3  # the runs on sample data
    assert str(tmp_path / "nothing") in answer.err and is_one_sentence(answer.err.strip())
