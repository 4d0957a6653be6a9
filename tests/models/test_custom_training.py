"""Custom models are trained as the project's are: repeatably, with a sentence where they fail, by a real trainer."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from helpers.answers import is_one_sentence
from helpers.processes import only_trainer, wait_for

from fmnist.data.files import Dataset
from fmnist.models import custom, inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import attribution
from fmnist.recipe import Recipe
from fmnist.store.arrays import rounded
from fmnist.store.run import ACTIVE
from fmnist.store.store import Store
from fmnist.training import launcher, loop, scheduler
from fmnist.training.checkpoint import load_checkpoint, save_checkpoint
from fmnist.training.events import EpochEnd, Finished, Progress
from fmnist.training.loop import TrainingError
from models.conftest import NAMES, SMALL, TINY, forward, own

# Training


def finish(recipe: Recipe, data: Dataset, checkpoint: loop.Checkpoint | None = None) -> Finished:
    *_, last = loop.train(recipe, data, checkpoint)
    return last


def same_weights(one: Finished, other: Finished) -> bool:
    return all(torch.equal(tensor, other.weights[name]) for name, tensor in one.weights.items())


@pytest.mark.parametrize("model", NAMES)
def test_dropout_and_batch_norm_give_the_same_weights_each_time_and_after_a_break(example, small_data, model):
    recipe = Recipe(model, epochs=2, learning_rate=0.05, **SMALL)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    events = []
    for event in loop.train(recipe, small_data):
        events.append(event)
        torch.rand(1) if isinstance(event, Progress) else None  # Whoever takes events may draw numbers too.
    torch.manual_seed(5)
    again = finish(recipe, small_data)
    assert same_weights(events[-1], again) and np.array_equal(events[-1].logits, again.logits)
    assert torch.equal(torch.rand(3), expected)  # A training leaves those of others alone.
    checkpoint = next(event.checkpoint for event in events if isinstance(event, EpochEnd))
    resumed = finish(recipe, small_data, load_checkpoint(save_checkpoint(checkpoint)))
    assert same_weights(resumed, again) and np.array_equal(resumed.logits, again.logits)
    assert not same_weights(again, finish(Recipe(model, 1, epochs=2, learning_rate=0.05, **SMALL), small_data))


def test_batch_norm_has_learnt_and_answers_by_what_it_has_learnt(example, small_data):
    finished = finish(Recipe("norm-cnn", epochs=1, **SMALL), small_data)
    assert finished.weights["features.1.num_batches_tracked"] == -(-331 // 32)
    module = inference.build(ARCHITECTURES.full_id("norm-cnn"), 9, torch.device("cpu"))
    module.load_state_dict(finished.weights)
    images = inference.as_input(small_data.test_images)
    assert np.array_equal(rounded(inference.evaluate(module, images)), finished.logits)
    assert module.training and int(module.features[1].num_batches_tracked) == -(-331 // 32)
    with torch.inference_mode():
        one = torch.cat([module.eval()(image) for image in images.split(1)])
    np.testing.assert_allclose(one.numpy(), finished.logits, rtol=0.01, atol=0.02)


def test_a_single_image_left_for_batch_norm_is_told_before_training(use, small_data):
    use(TINY.replace("784, 10)", "784, 10), nn.BatchNorm1d(10)"))
    with pytest.raises(TrainingError) as failed:
        finish(Recipe("tiny", batch_size=33, **SMALL), small_data)  # 331 = 10 * 33 + 1
    assert "1 image" in str(failed.value) and "another batch size than 33" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert finish(Recipe("tiny", epochs=1, batch_size=32, **SMALL), small_data)


def test_a_model_that_raises_in_the_middle_of_training_ends_its_run_with_a_sentence(use, small_data):
    lines = ("self.seen += self.training", "if self.seen > 25:", "    raise ValueError('Too\\nmany')")
    init = "self.register_buffer('seen', torch.zeros(()))"
    path = use(forward(*lines, "return self.linear(x.flatten(1))", init=init))
    with pytest.raises(TrainingError) as failed:
        finish(Recipe("odd", epochs=9, **SMALL), small_data)
    assert str(failed.value) == f"Odd ({path.name}) raised ValueError: Too many (line 15)."


def test_a_step_for_which_the_memory_does_not_suffice_ends_with_a_sentence(use, small_data):
    use(forward("x = x if len(x) < 9 else torch.empty(2**60)", "return self.linear(x.flatten(1))"))
    with pytest.raises(TrainingError, match="choose a smaller batch size") as failed:
        finish(Recipe("odd", **SMALL), small_data)
    assert is_one_sentence(failed.value)


def test_a_fault_of_ours_is_not_blamed_on_the_projects_models():
    with pytest.raises(KeyError), ARCHITECTURES["0"].blamed():
        raise KeyError("ours")


UNUSED = "self.unused = nn.ReLU(); self.frozen = nn.Linear(3, 3).requires_grad_(False)"


@pytest.mark.parametrize(
    "text",
    [
        forward("return self.linear(x.double().flatten(1))", init="self.double()"),
        forward("return self.linear(x.flatten(1))", init=UNUSED),
        forward("return self.linear(x.flatten(1)) @ self.linear.weight[:, :10]", init="self.tied = self.linear"),
        TINY.replace("nn.Flatten()", "nn.ReLU(inplace=True), nn.Flatten()"),
        TINY.replace('"Tiny"', '"Tiny", parts=2').replace("10)", "10), nn.Linear(10, 10).requires_grad_(False)"),
    ],
    ids=["float64", "unused and frozen", "tied weights", "first in place", "frozen in parts"],
)  # fmt: skip
def test_unusual_models_are_trained_stored_and_explained(use, small_data, text):
    use(text)
    assert custom.faults() == []
    [architecture] = own()
    events = list(loop.train(Recipe(architecture.id, epochs=1, learning_rate=0.01, **SMALL), small_data))
    finished = events[-1]
    assert finished.result.zero_layers == ()
    assert events[0].parameters == 7850
    module = inference.build(architecture.id, 0, torch.device("cpu")).eval()
    from safetensors.torch import load, save

    module.load_state_dict(load(save(finished.weights)))
    assert np.array_equal(
        rounded(inference.evaluate(module, inference.as_input(small_data.test_images))), finished.logits
    )
    found = attribution.contributions(module, small_data.test_images[0], 3)
    assert found.pixels.sum() == pytest.approx(found.logit - found.start, rel=0.01, abs=1e-4)


def test_smooth_models_are_explained_too(example, small_data):
    for name in NAMES:
        module = inference.build(ARCHITECTURES.full_id(name), 0, torch.device("cpu")).eval()
        found = attribution.contributions(module, small_data.test_images[0], 3)
        assert found.pixels.sum() == pytest.approx(found.logit - found.start, rel=0.01, abs=1e-4)
    layers = attribution.convolutions(
        inference.build(ARCHITECTURES.full_id("norm-cnn"), 0, torch.device("cpu")).eval(), small_data.test_images[0]
    )
    assert [layer.maps.shape for layer in layers] == [(16, 28, 28), (32, 14, 14)]
    assert min(layer.maps.min() for layer in layers) == 0  # Behind batch norm and ReLU.


# The trainer


def ended(store: Store, *ids: int) -> list:
    wait_for(lambda: not any(store.run(id).status in ACTIVE for id in ids), timeout=120)
    return [store.run(id) for id in ids]


def ask(store: Store, *recipes: Recipe) -> list[int]:
    return [id for id, _ in store.enqueue([(recipe, recipe.key("data")) for recipe in recipes], Path("/nowhere"))]


def test_a_warm_trainer_trains_each_version_as_it_was_asked_for(use, store, small_sample):
    path = use(TINY)
    (first,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    launcher.start(store)
    [run] = ended(store, first)
    assert (run.status, run.parameters) == ("done", 7850)
    process = only_trainer(store.path.parent)

    path.write_text(TINY.replace("784, 10", "784, 10, bias=False"))
    custom.refresh(store.path.parent)
    launcher.start(store)
    (second,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    [run] = ended(store, second)
    assert (run.status, run.parameters) == ("done", 7840)
    assert only_trainer(store.path.parent) == process
    assert store.run(first) is None  # Of a version that is no more.


def test_a_model_that_hangs_in_training_can_be_stopped_and_the_queue_goes_on(use, store, small_sample, tmp_path):
    hangs = tmp_path / "hangs"
    use(
        TINY
        + forward(f"while pathlib.Path({str(hangs)!r}).exists(): time.sleep(0.01)", "return self.linear(x.flatten(1))")
        + "\nimport pathlib, time\n"
    )
    hangs.touch()
    hanging, next_one = ask(store, Recipe("odd", epochs=1, **SMALL), Recipe("tiny", epochs=1, **SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "SILENT_SECONDS", 0.5)
        training = Thread(target=scheduler.Scheduler(store).work, args=(0,))
        training.start()
        wait_for(lambda: store.run(hanging).started)
        store.request_stop([hanging])
        training.join(90)
    stopped, trained = ended(store, hanging, next_one)
    assert (stopped.status, trained.status) == ("cancelled", "done")
    assert "said nothing" in stopped.error and is_one_sentence(stopped.error)


def test_a_trainer_that_knows_nothing_of_the_models_is_followed_by_one_that_does(use, store, small_sample, monkeypatch):
    launcher.start(store)
    wait_for(lambda: store.setting(launcher.EXPECTED))
    process = only_trainer(store.path.parent)
    use(TINY)
    (id,) = ask(store, Recipe("tiny", epochs=1, **SMALL))
    launcher.start(store)
    launcher.start(store)  # As every visit of the Train page does: nobody else comes to wait.
    [run] = ended(store, id)
    assert run.status == "done"
    assert only_trainer(store.path.parent) != process
