"""Explanations are right: contributions add up, are weight times pixel where that is known, and seeds are averaged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict import attribution, prediction
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[nn.Module]]:
    """Two seeds of each model: the reference runs, or untrained where a model has none."""
    library = Library(Store(tmp_path_factory.mktemp("runs") / "fmnist.db"))
    groups = default_groups(library.groups("fashion-mnist", "reference"))
    known = {group.recipe.model: [prediction.load_model(library, run) for run in group.runs[:2]] for group in groups}
    return {model: [inference.build(model, seed, CPU).eval() for seed in (0, 1)] for model in ARCHITECTURES} | known


def logits(model: nn.Module, image: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(inference.as_input(image[None]))[0].double().numpy()


def rest(found: attribution.Explanation) -> float:
    """What may be left where contributions cancel, so that their sum is almost 0: next to nothing of what was added."""
    return float(1e-4 * np.abs(found.pixels).sum())


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_contributions_and_the_black_images_logit_add_up_to_the_logit(trained, small_data, model):
    black = np.zeros((28, 28), np.uint8)
    for module in trained[model]:
        for image in small_data.test_images[:5]:
            for label in (0, 6):
                found = attribution.contributions(module, image, label)
                difference = logits(module, image)[label] - logits(module, black)[label]
                assert found.logit == pytest.approx(logits(module, image)[label], abs=1e-4)
                assert found.start == pytest.approx(logits(module, black)[label], abs=1e-4)
                assert found.pixels.sum() == pytest.approx(difference, rel=0.01, abs=rest(found))


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_they_add_up_on_real_images_too(trained, real_data, model):
    for image, label in zip(real_data.test_images[:15], real_data.test_labels[:15], strict=True):
        found = attribution.contributions(trained[model][0], image, int(label))
        assert found.pixels.sum() == pytest.approx(found.logit - found.start, rel=0.01, abs=rest(found))


def test_in_model_0_they_are_weight_times_pixel_and_the_bias(trained, small_data):
    module = trained["0"][0]
    image, label = small_data.test_images[0], 3
    found = attribution.contributions(module, image, label)
    weights = module[1].weight[label].detach().double().numpy().reshape(28, 28)
    np.testing.assert_allclose(found.pixels, weights * image / 255, atol=1e-5)
    assert found.start == pytest.approx(module[1].bias[label].item(), abs=1e-5)
    assert found.start + found.pixels.sum() == pytest.approx(logits(module, image)[label], abs=1e-4)


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_they_are_the_integral_that_many_small_steps_give(trained, small_data, model):
    module, image = trained[model][0], small_data.test_images[4]
    label = int(logits(module, image).argmax())
    found = attribution.contributions(module, image, label)
    middles = (torch.arange(2000) + 0.5) / 2000
    gradients = torch.zeros(28, 28)
    for share in middles.split(250):
        way = (share.view(-1, 1, 1, 1) * inference.as_input(image[None])).requires_grad_()
        gradients += torch.autograd.grad(module(way)[:, label].sum(), way)[0].sum(dim=(0, 1)) / 2000
    expected = (gradients * inference.as_input(image[None])[0, 0]).double().numpy()
    assert np.abs(found.pixels - expected).sum() < 0.05 * np.abs(expected).sum()


def test_a_bend_between_two_steps_is_found_exactly():
    """max(0, 10 x - 3.3) of one pixel x: from black to white it bends at 0.33, which is no end of a step."""

    class Bent(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.relu(10 * images[:, 0, 5, 7] - 3.3)[:, None]

    image = np.zeros((28, 28), np.uint8)
    image[5, 7] = 255
    found, pixels = attribution._integrate(Bent(), inference.as_input(image[None]), 0, steps=8)
    assert pixels[5, 7].item() == pytest.approx(6.7, abs=1e-5)
    assert found[-1].item() == pytest.approx(6.7, abs=1e-5)


def test_black_pixels_add_nothing(trained, small_data):
    image = small_data.test_images[1]
    for modules in trained.values():
        assert not attribution.contributions(modules[0], image, 2).pixels[image == 0].any()


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_seeds_are_averaged(trained, small_data, model):
    image = small_data.test_images[2]
    found = attribution.explain(trained[model], image, 4)
    each = [attribution.contributions(module, image, 4) for module in trained[model]]
    np.testing.assert_allclose(found.pixels, (each[0].pixels + each[1].pixels) / 2, atol=1e-4)
    assert found.logit == pytest.approx((each[0].logit + each[1].logit) / 2, abs=1e-4)
    assert found.start + found.pixels.sum() == pytest.approx(found.logit, abs=0.01 * abs(found.logit - found.start))


def test_explaining_leaves_no_gradients_behind(trained, small_data):
    module = trained["2"][0]
    attribution.contributions(module, small_data.test_images[0], 0)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_model_2_has_four_convolutions_and_their_maps_are_what_they_pass_on(small_data):
    module, image = inference.build("2", 0, CPU), small_data.test_images[0]
    layers = attribution.convolutions(module, image)
    assert [layer.maps.shape for layer in layers] == [(10, 28, 28)] * 2 + [(10, 14, 14)] * 2
    assert {layer.window for layer in layers} == {(3, 3)}
    steps = list(module)
    with torch.inference_mode():
        for layer, after in zip(layers, (2, 4, 7, 9), strict=True):
            expected = nn.Sequential(*steps[:after])(inference.as_input(image[None]))[0]
            np.testing.assert_allclose(layer.maps, expected.numpy(), atol=1e-6)
    assert not any(module._forward_hooks for module in module.modules())


def test_a_convolution_without_a_relu_is_shown_as_it_is(small_data):
    module = nn.Sequential(nn.Conv2d(1, 3, 5), nn.MaxPool2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(432, 10))
    [layer] = attribution.convolutions(module.eval(), small_data.test_images[0])
    assert layer.maps.shape == (3, 24, 24)
    assert layer.window == (5, 5)
    expected = module[0](inference.as_input(small_data.test_images[:1]))[0].detach().numpy()
    np.testing.assert_allclose(layer.maps, expected, atol=1e-6)


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_which_models_have_convolutions(small_data, model):
    module = inference.build(model, 0, CPU)
    found = attribution.convolutions(module, small_data.test_images[0])
    assert attribution.has_convolutions(module) == bool(found) == ("Conv2d" in ARCHITECTURES[model].layers)
