"""The library: which runs stand side by side, and which of them is shown first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fmnist.compare import charts, confusion
from fmnist.compare.confusion import Item
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store import library as library_module
from fmnist.store.arrays import pack
from fmnist.store.library import Library, default_groups
from fmnist.store.run import Point, Result, Start, Status
from fmnist.store.store import Store

LOGITS = np.eye(10, dtype=np.float16)[[3, 1, 4]]


def done(store: Store, recipe: Recipe, accuracy: float = 0.8, threads: int = 1, device: str = "cpu", **result) -> int:
    """A finished run."""
    ((id, _),) = store.enqueue([(recipe, recipe.key("data"))], Path("/"), again=True)
    assert store.claim().id == id
    store.record_start(id, Start(device, threads, "m", {}, parameters=5, multiply_adds=6, steps=100, step=0))
    usual = {"test_loss": 1.0, "train_seconds": 2.0, "eval_seconds": 1.0, "image_seconds": 1e-6, "dead": False}
    points = [Point("train", 1, 1, 0.1, 2.0, 0.5)]
    predicted = pack(np.array([3, 1, 4], np.uint8))
    artifacts = {"logits": pack(LOGITS), "weights": b"w", f"predictions/{recipe.epochs}": predicted}
    store.finish(
        id, Status.DONE, points=points, result=Result(test_accuracy=accuracy, **usual | result), artifacts=artifacts
    )
    return id


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """A reference store: two seeds of Model 0, one of Model 2."""
    path = tmp_path / "reference.db"
    store = Store(path)
    for recipe in (Recipe("0"), Recipe("0", 1), Recipe("2")):
        done(store, recipe)
    store._db.execute("PRAGMA journal_mode = DELETE")
    store.close()
    return path


@pytest.fixture
def library(store: Store, reference: Path) -> Library:
    return Library(store, reference)


def described(groups: list) -> list[tuple]:
    return [(group.source, group.recipe.model, [run.recipe.seed for run in group.runs]) for group in groups]


def test_an_empty_library(store):
    library = Library(store, None)
    assert library.finished().empty and library.groups("fashion-mnist") == []
    assert default_groups([]) == []
    assert library.history([]).empty


def test_a_project_without_reference_runs(store, tmp_path):
    assert list(Library(store, tmp_path / "none.db").stores) == ["own"]


def test_only_finished_runs_count(library):
    library.own.enqueue([(Recipe("1"), "key")], Path("/"))
    assert list(library.finished()["model"]) == ["0", "0", "2"]
    library.own.claim()
    library.own.finish(1, "cancelled")
    assert library.finished("own").empty


def test_groups_are_of_one_recipe_source_and_place(library):
    done(library.own, Recipe("0"))
    done(library.own, Recipe("0", 1, device="cpu"))
    done(library.own, Recipe("0", 2), device="A GPU")
    done(library.own, Recipe("0", 3, epochs=5))
    done(library.own, Recipe("0", 4, dataset="sample"))
    assert sorted(described(library.groups("fashion-mnist"))) == sorted(
        [
            ("own", "0", [0, 1]),
            ("own", "0", [2]),
            ("own", "0", [3]),
            ("reference", "0", [0, 1]),
            ("reference", "2", [0]),
        ]
    )
    assert described(library.groups("sample")) == [("own", "0", [4])]
    assert described(library.groups("fashion-mnist", "reference")) == [
        ("reference", "0", [0, 1]),
        ("reference", "2", [0]),
    ]


def test_a_seed_that_was_trained_again_counts_once(library):
    done(library.own, Recipe("1"), 0.7)
    newest = done(library.own, Recipe("1"), 0.75)
    (group,) = library.groups("fashion-mnist", "own")
    assert [run.id for run in group.runs] == [newest]


def test_groups_stand_by_model_and_the_published_recipe_is_first(library):
    for recipe in (Recipe("2"), Recipe("0", epochs=1), Recipe("0"), Recipe("1")):
        done(library.own, recipe)
    order = [(group.recipe.model, group.recipe.published) for group in library.groups("fashion-mnist", "own")]
    assert order == [("0", True), ("0", False), ("1", True), ("2", True)]


def test_by_default_own_runs_are_shown_then_the_published_recipe_then_the_newest(library):
    def chosen(model: str) -> library_module.Group:
        (group,) = [g for g in default_groups(library.groups("fashion-mnist")) if g.recipe.model == model]
        return group

    assert chosen("0").source == "reference"
    done(library.own, Recipe("0", epochs=1))
    assert chosen("0").recipe.epochs == 1 and chosen("0").source == "own"
    done(library.own, Recipe("0", epochs=2))
    assert chosen("0").recipe.epochs == 2
    done(library.own, Recipe("0"))
    done(library.own, Recipe("0", epochs=1), 0.9)
    assert chosen("0").recipe.published
    assert chosen("2").source == "reference"


def test_titles_tell_groups_apart(library):
    done(library.own, Recipe("0"))
    done(library.own, Recipe("0", epochs=1))
    assert [group.title for group in library.groups("fashion-mnist")] == [
        "Model 0",
        "Model 0 · reference",
        "Model 0 · SGD, lr 0.1, batch 32, 1 epoch",
        "Model 2 · reference",
    ]


def test_what_runs_left_behind_comes_from_their_store(library):
    done(library.own, Recipe("1"))
    runs = [library.own.run(1), library.stores["reference"].run(1)]
    assert library.history(runs)["run"].tolist() == ["1", "reference-1"]
    for run in runs:
        assert library.predictions(run).tolist() == [3, 1, 4]
        assert np.array_equal(library.logits(run), LOGITS)
        assert library.weights(run) == b"w"


def test_what_follows_from_finished_runs_is_worked_out_once_until_there_are_others(library):
    calls = []

    def compute() -> int:
        calls.append(1)
        return len(calls)

    assert [library.remember("x", compute), library.remember("x", compute)] == [1, 1]
    library.own.enqueue([(Recipe("1"), "key")], Path("/"))
    assert library.remember("x", compute) == 1  # nothing has finished
    library.own.claim()
    library.own.finish(1, "cancelled")
    id = done(library.own, Recipe("1"))
    assert library.remember("x", compute) == 2
    assert library.own.delete(id)
    assert library.remember("x", compute) == 3


def test_a_curve_can_be_asked_for_by_its_split(library):
    run = library.own.run(done(library.own, Recipe("1")))
    assert len(library.history([run], "train")) == 1 and library.history([run], "test").empty


def test_what_is_predicted_is_not_read_off_rounded_logits(library):
    """All logits are equal, as after rounding: the stored class counts, here and in the matrix, and has the full colour
    in the picture."""
    id = done(library.own, Recipe("1"))
    with library.own._write() as db:
        alike, sevens = pack(np.ones((3, 10), np.float16)), pack(np.full(3, 7, np.uint8))
        for name, data in (("logits", alike), ("predictions/3", sevens)):
            db.execute("UPDATE artifacts SET data = ? WHERE run = ? AND name = ?", (data, id, name))
    run = library.own.run(id)
    assert library.predictions(run).tolist() == [7, 7, 7]
    item = Item("1", "seed 0", library.groups("fashion-mnist")[0], (run,))
    found = confusion.answers(library, item, np.array([7, 7, 1]))
    assert (found.correct, found.answer.tolist(), found.matrix[1, 7]) == (2, [7, 7, 7], 1)
    mean = confusion.mean_probabilities(library, item, np.array([0]))[0]
    [bars] = charts.probabilities(mean, int(found.answer[0]), "1", tuple("abcdefghij")).data
    assert [color == ARCHITECTURES["1"].color for color in bars.marker.color] == [label == 7 for label in range(10)]
