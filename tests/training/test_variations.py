"""What a recipe may have besides the published one - AdamW, cosine schedule, shifts, mirroring, the best epoch - beside
a few plain lines of PyTorch, and bit for bit the same when repeated, resumed, or computed on fewer threads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from fmnist.data.files import Dataset
from fmnist.data.held_out import trained_on
from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.training import loop
from fmnist.training.augmentation import Augmentation
from fmnist.training.checkpoint import load_checkpoint, save_checkpoint
from fmnist.training.events import EpochEnd, Finished, Progress
from fmnist.training.optimizers import learning_rate
from fmnist.training.randomness import order

CPU = torch.device("cpu")
EVERYTHING = {
    **{"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.1, "schedule": "cosine"},
    **{"shift": 2, "mirror": True, "validation": 100, "keep": "best"},
}


def recipe(model: str, **changes: object) -> Recipe:
    return Recipe(model, **{"dataset": "sample", "device": "cpu", "seed": 3, "epochs": 3} | changes)


def finish(recipe: Recipe, data: Dataset, checkpoint: loop.Checkpoint | None = None, **options: object) -> Finished:
    *_, last = loop.train(recipe, data, checkpoint, **options)
    return last


def same(one: Finished, other: Finished) -> bool:
    kept = (one.logits, other.logits), (one.held_out.logits, other.held_out.logits)
    equal = all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())
    return equal and all(np.array_equal(*pair) for pair in kept) and one.result.kept_epoch == other.result.kept_epoch


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image float32 (28, 28), moved pixel by pixel."""
    found = np.zeros_like(image)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                found[row, column] = image[row - down, column - right]
    return found


def plain_losses(chosen: Recipe, data: Dataset) -> list[float]:
    """The same training written down in the usual way: the loss of each step."""
    torch.manual_seed(chosen.seed)
    model = ARCHITECTURES[chosen.model].build()
    if chosen.optimizer == "adam":
        optimizer = torch.optim.AdamW(model.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=chosen.learning_rate)
    places = trained_on(data.train_labels, chosen.validation)
    steps = chosen.epochs * chosen.steps_per_epoch(len(data.train_labels))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for epoch in range(1, chosen.epochs + 1):
        moves, mirrored = Augmentation(chosen, len(data.train_images), CPU).draw(epoch)
        for batch in order(chosen.seed, epoch, len(places)).split(chosen.batch_size):
            which = places[batch.numpy()]
            images = [data.train_images[place] / np.float32(255) for place in which]
            images = [np.fliplr(image) if mirrored[at] else image for at, image in zip(which, images, strict=True)]
            images = [moved(image, *moves[:, at].tolist()) for at, image in zip(which, images, strict=True)]
            logits = model(torch.from_numpy(np.stack(images))[:, None])
            loss = cross_entropy(logits, torch.from_numpy(data.train_labels[which]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if chosen.schedule == "cosine":
                schedule.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "learning_rate": 0.003, "weight_decay": 0.5},
        {"schedule": "cosine"},
        {"shift": 2},
        {"shift": 1, "mirror": True},
        {"mirror": True},
        {"validation": 100},
        EVERYTHING,
    ],
    ids=lambda changes: "+".join(changes),
)
@pytest.mark.parametrize("model", ["0", "2"])
def test_each_step_has_the_loss_of_a_plain_loop(model, changes, small_data):
    chosen = recipe(model, epochs=2, **changes)
    reports = [event for event in loop.train(chosen, small_data) if isinstance(event, Progress)]
    assert [report.loss for report in reports] == pytest.approx(plain_losses(chosen, small_data), rel=2e-3)


def test_the_cosine_begins_at_the_learning_rate_and_falls_to_zero_over_all_steps():
    chosen = recipe("0", schedule="cosine", learning_rate=0.2)
    rates = [learning_rate(chosen, step, 8) for step in range(9)]
    assert rates == sorted(rates, reverse=True) and rates[0] == 0.2
    assert rates[4] == pytest.approx(0.1) and rates[8] == pytest.approx(0)
    assert {learning_rate(recipe("0"), step, 8) for step in range(8)} == {0.1}


def test_each_image_is_drawn_for_anew_in_each_epoch_and_moved_no_further_than_allowed():
    augmentation = Augmentation(recipe("0", shift=2, mirror=True), 1000, CPU)
    moves, mirrored = augmentation.draw(1)
    assert set(moves.flatten().tolist()) == {-2, -1, 0, 1, 2}
    assert 400 < mirrored.sum() < 600
    assert all(torch.equal(*pair) for pair in zip(augmentation.draw(1), (moves, mirrored), strict=True))
    assert not torch.equal(augmentation.draw(2)[0], moves)
    assert not torch.equal(Augmentation(recipe("0", shift=2, seed=4), 1000, CPU).draw(1)[0], moves)


@pytest.mark.parametrize("model, compiled", [("0", False), ("2", True), ("2", False)])
def test_with_everything_the_weights_are_the_same_repeated_resumed_and_with_fewer_threads(model, compiled, small_data):
    chosen = recipe(model, **EVERYTHING)
    events = list(loop.train(chosen, small_data, threads=2, compiled=compiled))
    whole = events[-1]
    assert events[0].compiled == compiled
    assert same(finish(chosen, small_data, threads=1, compiled=compiled), whole)
    for end in (event for event in events if isinstance(event, EpochEnd)):
        stored = load_checkpoint(save_checkpoint(end.checkpoint))
        assert same(finish(chosen, small_data, stored, threads=1, compiled=compiled), whole)


@pytest.mark.parametrize("model", ["0", "2"])
def test_the_best_epoch_on_the_held_out_images_is_kept(model, small_data):
    """With a learning rate at which accuracy goes up and down."""
    chosen = recipe(model, validation=100, keep="best", epochs=6, learning_rate={"0": 0.5, "2": 0.2}[model])
    *events, finished = loop.train(chosen, small_data)
    ends = [event for event in events if isinstance(event, EpochEnd)]
    accuracies = [end.accuracy for end in ends]
    best = accuracies.index(max(accuracies))
    assert best < 5, "no case to test: the last epoch was the best"
    assert finished.result.kept_epoch == best + 1
    assert finished.result.validation_accuracy == max(accuracies)
    assert np.array_equal(finished.held_out.predictions, ends[best].predictions)
    # They are the weights that a run of so many epochs ends with.
    shorter = dataclasses.replace(chosen, epochs=best + 1, keep="last")
    for name, tensor in finish(shorter, small_data).weights.items():
        assert torch.equal(tensor, finished.weights[name])
    module = inference.build(model, 99, CPU)
    module.load_state_dict(finished.weights)
    logits = inference.evaluate(module, inference.as_input(small_data.test_images))
    assert np.array_equal(logits.argmax(axis=1), finished.predictions)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA device.")
@pytest.mark.parametrize("model", ["0", "2"])
def test_on_cuda_too_the_weights_are_the_same_repeated_and_resumed(model, small_data):
    chosen = recipe(model, **EVERYTHING | {"device": "cuda"})
    events = list(loop.train(chosen, small_data))
    assert same(finish(chosen, small_data), events[-1])
    checkpoint = next(event.checkpoint for event in events if isinstance(event, EpochEnd))
    assert same(finish(chosen, small_data, checkpoint), events[-1])
