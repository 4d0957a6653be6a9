"""Of each campaign in bench/campaigns a few cases; the rest is run by hand."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.data_files import keep_as_sample

from bench.campaigns import damaged_stores, exports, kills, pictures
from fmnist.store.library import Library
from fmnist.store.store import Store
from fmnist.ui import resources


@pytest.mark.parametrize("kind", ["values", "bytes"])
@pytest.mark.parametrize("number", range(5))
def test_a_damaged_store_is_shown_as_far_as_it_can_be_read(kind, number, trained_once: Path, monkeypatch, tmp_path):
    monkeypatch.setattr(damaged_stores.launcher, "start", lambda store: None)
    monkeypatch.setattr(resources, "Library", resources.Library)  # What the attack changes is put back.
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path))
    # Columns from all tables: artifacts come first, runs in the middle.
    done, faults = damaged_stores.attack(trained_once, kind, number * 8, seed=1)
    assert not faults, done


def test_damaged_picture_files_are_converted_or_refused_in_a_sentence():
    files = list(pictures.hostile_files(14, avif=True))[
        -5:
    ]  # Three of AVIF; tests/predict has a thousand of the others.
    assert {pictures.attack(data) for data in files} <= {"converted", "refused"}


@pytest.mark.parametrize("model", ["0", "1", "2"])
def test_card_snippet_onnx_and_script_give_the_accuracy_of_the_store(model, real_data, tmp_path):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    library = Library(Store(tmp_path / "own.db"))
    [run] = [run for run in library.stores["reference"].runs() if (run.recipe.model, run.recipe.seed) == (model, 2)]
    found = exports.check(library, run, real_data, ("safetensors", "onnx", "script"))
    assert found == dict.fromkeys(found, run.finished_result.test_accuracy) and len(found) == 4


@pytest.fixture(scope="module")
def undisturbed(small_data, tmp_path_factory) -> kills.Undisturbed:
    """A training that nobody disturbs: of some thousand steps, so that it can be."""
    folder = tmp_path_factory.mktemp("undisturbed")
    keep_as_sample(small_data, folder)
    found = kills.undisturbed(next(folder.glob("sample-*.npz")), epochs=6, batch_size=1)
    # In the first half: where all is over before a process is killed, there is another try.
    return replace(found, seconds=found.seconds / 2)


@pytest.mark.skipif(sys.platform != "linux", reason="the processes are looked for in /proc")
@pytest.mark.parametrize("kind", kills.KINDS)
def test_a_training_goes_on_at_the_first_call_whichever_process_was_killed(kind, undisturbed):
    done, faults = kills.attack(undisturbed, kind, number=1)
    assert not faults, done
