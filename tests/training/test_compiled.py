"""The compiled kernels against autograd, and in a training."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from bench.campaigns import compiled as campaign
from fmnist import training
from fmnist.models.chain import chain
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import OPTIMIZERS, Recipe
from fmnist.training import compiled, gradients, kernel_cache, loop
from fmnist.training.checkpoint import load_checkpoint, save_checkpoint
from fmnist.training.compiled import CompiledGradients
from fmnist.training.events import EpochEnd, Progress
from fmnist.training.kernels import LANES


def batch(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as those of clothes are: black around, so that many neighbours are equal."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((count, 1, 28, 28), generator=generator)
    images[:, :, :8] = 0
    return images, torch.randint(0, 10, (count,), generator=generator)


@pytest.mark.parametrize("seed", range(8))
def test_random_chains_have_autograds_gradients(seed):
    for size in (32, 7):
        torch.manual_seed(seed)
        step = campaign.compare(campaign.random_chain(np.random.default_rng(seed)), *batch(size, seed))
        assert step.ratio <= campaign.TIMES


def test_model_2_has_autograds_gradients_while_it_learns(small_data):
    steps = list(campaign.while_it_learns(small_data, seed=0, steps=11))
    assert len(steps) == 11
    assert max(step.ratio for step in steps) <= campaign.TIMES


@pytest.mark.parametrize("count, parts", [(40, 3), (32, 1), (1, 2)])
def test_a_batch_may_be_of_any_size_and_in_any_parts(count, parts):
    """The last part may be smaller, and there may be more parts than vectors of images."""
    model = ARCHITECTURES["2"].build()
    images, labels = batch(count)
    cross_entropy(model(images), labels).backward()
    theirs = [parameter.grad.clone() for parameter in model.parameters()]
    CompiledGradients(chain(model), parts, 1)(images, labels)
    for parameter, other in zip(model.parameters(), theirs, strict=True):
        assert torch.allclose(parameter.grad, other, rtol=1e-4, atol=1e-6)


def test_logits_are_the_models():
    model = ARCHITECTURES["2"].build()
    images, _ = batch(2 * LANES + 5)
    found = CompiledGradients(chain(model), 2, 2).logits(images)
    assert np.allclose(found, model(images).detach().numpy(), atol=1e-6)


def test_the_number_of_threads_changes_no_bit():
    model = ARCHITECTURES["2"].build()
    images, labels = batch(70)
    found = []
    for threads in (1, 2):
        logits = CompiledGradients(chain(model), 2, threads)(images, labels)
        found.append([logits, *(parameter.grad.clone() for parameter in model.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_what_is_not_a_number_stays_none():
    """By it a training is stopped whose weights have run away."""
    model = ARCHITECTURES["2"].build()
    computed = CompiledGradients(chain(model), 2, 1)
    with torch.no_grad():
        model[0].weight.fill_(float("nan"))
    assert torch.isnan(computed(*batch(32))).any()


# In a training


def recipe(optimizer: str = "sgd", **changes: object) -> Recipe:
    rates = {"sgd": 0.1, "sgd-momentum": 0.02, "adam": 0.003}
    values = {"dataset": "sample", "device": "cpu", "learning_rate": rates[optimizer], "epochs": 2} | changes
    return Recipe("2", optimizer=optimizer, **values)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_is_the_one_by_autograd_but_for_rounding(optimizer, small_data):
    ways = [list(loop.train(recipe(optimizer), small_data, compiled=way)) for way in (True, False)]
    assert [events[0].compiled for events in ways] == [True, False]
    ours, theirs = ([event.loss for event in events if isinstance(event, Progress)][:8] for events in ways)
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_a_run_goes_on_as_it_began(small_data):
    for way in (True, False):
        *_, whole = loop.train(recipe(), small_data, compiled=way)
        end = next(event for event in loop.train(recipe(), small_data, compiled=way) if isinstance(event, EpochEnd))
        *_, resumed = loop.train(
            recipe(), small_data, load_checkpoint(save_checkpoint(end.checkpoint)), threads=1, compiled=way
        )
        assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)


def test_where_numba_is_missing_autograd_does_it(small_data, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "fmnist.training.kernels", None)
    monkeypatch.delattr(training, "kernels", raising=False)
    gradients.can_compile.cache_clear()
    try:
        events = [next(loop.train(recipe(), small_data)) for _ in range(2)]
    finally:
        gradients.can_compile.cache_clear()
    assert not any(event.compiled for event in events)
    assert caplog.text.count("Numba can't be loaded") == 1


def test_the_cache_is_filled_once_kernels_were_compiled():
    loop.load_kernels()
    assert kernel_cache.is_filled() and not kernel_cache.is_awaited()


def test_kernels_that_are_older_than_a_copy_of_their_code_are_not_awaited_for_ever(tmp_path, monkeypatch):
    index = tmp_path / "x" / "kernels.forwards_and_backwards-1.py311.nbi"
    index.parent.mkdir()
    index.touch()
    os.utime(index, (0, 0))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kernel_cache.is_awaited()
    loop.load_kernels()
    assert not kernel_cache.is_awaited()


def test_damaged_files_of_the_kernels_are_removed_and_compiled_anew(small_data, tmp_path, monkeypatch, caplog):
    """Compiling takes 20 s, so what Numba raises for a file that was cut off comes from here."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    kept = [
        tmp_path / "x" / f"kernels.{name}-1.py311.{end}"
        for name in ("_forwards", "_pixels")
        for end in ("nbi", "1.nbc")
    ]
    kept[0].parent.mkdir()
    for path in kept:
        path.write_bytes(b"\x80")
    (tmp_path / "x" / "another.f-1.py311.nbi").touch()
    try_out = compiled._try_out

    def numba() -> None:
        if any(path.exists() for path in kept):
            raise EOFError("Ran out of input")
        try_out()

    monkeypatch.setattr(compiled, "_try_out", numba)
    *_, finished = loop.train(recipe(), small_data)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["another.f-1.py311.nbi"]
    assert "could not be loaded or kept: Ran out of input" in caplog.text and finished.weights


def test_where_the_package_cannot_be_written_kernels_are_kept_beside_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"})
    monkeypatch.setattr(kernel_cache.os, "access", lambda *_: False)
    kernel_cache.keep_beside(tmp_path / "fmnist.db")
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "kernels")
    assert not kernel_cache.is_filled() and kernel_cache.is_awaited()
    (tmp_path / "kernels" / "x").mkdir(parents=True)
    (tmp_path / "kernels" / "x" / "kernels.forwards_and_backwards-1.py311.nbi").touch()
    assert kernel_cache.is_filled()
