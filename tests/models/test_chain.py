"""Which models are plain chains of layers that the compiled kernels know."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fmnist.models.chain import chain, convolves
from fmnist.models.registry import ARCHITECTURES


def net(*modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(*modules)


def small(convolution: nn.Module, channels: int = 2) -> nn.Sequential:
    return net(convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(channels * 14 * 14, 10))


@pytest.mark.parametrize("model", ARCHITECTURES.values(), ids=lambda model: model.id)
def test_the_registry_knows_which_of_the_projects_models_gain(model):
    assert model.compiled == convolves(model.build())


def test_layers_and_sizes_are_those_of_the_model():
    model = net(net(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU()), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 10))
    layers = chain(model, (1, 7, 6))
    assert [type(layer.module).__name__ for layer in layers] == ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear"]
    images = torch.zeros(1, 1, 7, 6)
    for layer in layers:
        assert layer.takes == images.shape[1:]
        images = layer.module(images)
        assert layer.gives == images.shape[1:]


class Derived(nn.Conv2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(images)


def hooked() -> nn.Module:
    model = small(nn.Conv2d(1, 2, 3, padding=1))
    model[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


def frozen() -> nn.Module:
    model = small(nn.Conv2d(1, 2, 3, padding=1))
    model[0].weight.requires_grad_(False)
    return model


def twice() -> nn.Module:
    same = nn.Conv2d(1, 1, 3, padding=1)
    return net(same, same, nn.Flatten(), nn.Linear(784, 10))


@pytest.mark.parametrize(
    "model",
    [
        small(nn.Conv2d(1, 2, 5, padding=2)),
        small(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")),
        small(nn.Conv2d(1, 2, 3, padding=1, dtype=torch.float64)),
        small(Derived(1, 2, 3, padding=1)),
        net(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 784, 10)),
        net(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(162, 10)),
        net(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2, stride=1), nn.Flatten(), nn.Linear(2 * 27 * 27, 10)),
        net(nn.Conv2d(1, 2, 3, padding=1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(2 * 784, 10)),
        net(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 784, 10), nn.Softmax(1)),
        nn.Conv2d(1, 2, 3, padding=1),
        hooked(),
        frozen(),
        twice(),
    ],
)
def test_any_other_model_is_left_to_autograd(model):
    assert chain(model) is None and not convolves(model)
