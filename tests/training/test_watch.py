"""The answers to a few images while a model learns."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn
from training.test_loop import every_model, finish, recipe, same_weights

from fmnist import metrics
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.training import loop, watch
from fmnist.training.events import EpochEnd, Progress


@pytest.fixture
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every report tells answers, however little time has passed."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watch, "MAX_SHARE", math.inf)


@every_model
def test_answers_are_those_of_the_model_at_that_step(model, small_data, monkeypatch, always_asked):
    built = []
    monkeypatch.setattr(loop, "build", lambda *args: built.append(inference.build(*args)) or built[-1])
    watched, told = (3, 14, 15), []
    for event in loop.train(recipe(model, epochs=2), small_data, watched=watched):
        if isinstance(event, Progress):
            images = inference.as_input(small_data.test_images[list(watched)])
            assert event.answers.tolist() == metrics.predict(inference.evaluate(built[0], images)).tolist()
            told.append(tuple(event.answers))
        elif isinstance(event, EpochEnd):
            assert told[-1] == tuple(event.predictions[list(watched)])
    assert len(set(told)) > 1


def test_answers_are_told_once_a_second_and_only_where_they_are_wanted(small_data):
    def told(watched: tuple[int, ...]) -> list[np.ndarray | None]:
        events = loop.train(recipe("0"), small_data, watched=watched)
        return [event.answers for event in events if isinstance(event, Progress)]

    first, *others = told((1, 2))
    assert first.shape == (2,) and any(answers is None for answers in others)
    assert all(answers is None for answers in told(()))


def noisy() -> nn.Module:
    """A model that draws random numbers and counts whenever it is asked, whether it trains or not."""

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("asked", torch.zeros(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.asked += 1
            return images + 0.01 * torch.randn_like(images) / self.asked

    return nn.Sequential(Counts(), nn.BatchNorm2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(784, 10))


@pytest.mark.parametrize("model", [*ARCHITECTURES, "noisy"])
def test_the_weights_are_the_same_bit_for_bit_whether_it_is_watched_or_not(
    model, small_data, monkeypatch, always_asked
):
    if model == "noisy":
        architecture = dataclasses.replace(ARCHITECTURES["0"], id="noisy", build=noisy)
        monkeypatch.setitem(ARCHITECTURES, "noisy", architecture)
    asked = recipe(model, epochs=2, learning_rate=0.02)
    alone = finish(asked, small_data)
    *_, watched = loop.train(asked, small_data, watched=(0, 1, 2))
    if model == "noisy":  # How often it was asked depends on time as well: its answers are timed.
        assert alone.weights.pop("0.asked") and watched.weights.pop("0.asked")
        assert same_weights(alone, watched)
        return
    assert same_weights(alone, watched) and np.array_equal(alone.logits, watched.logits)
    first = next(event for event in loop.train(asked, small_data, watched=(0, 1)) if isinstance(event, EpochEnd))
    *_, resumed = loop.train(asked, small_data, first.checkpoint, watched=(0, 1))
    assert same_weights(alone, resumed)
