"""Models as everybody needs them who does not train."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fmnist.models import inference
from fmnist.models.registry import ARCHITECTURES

CPU = torch.device("cpu")


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_building_a_model_leaves_the_random_numbers_alone(model):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = inference.build(model, 0, CPU)
    assert torch.equal(torch.rand(3), expected)
    other, different = inference.build(model, 0, CPU), inference.build(model, 1, CPU)
    weights = [next(module.parameters()) for module in (one, other, different)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_what_behaves_otherwise_in_training_is_left_so_by_an_evaluation():
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784).eval(), nn.Dropout(), nn.Linear(784, 10))
    inference.evaluate(module, torch.zeros(3, 1, 28, 28))
    assert [layer.training for layer in module] == [True, False, True, True]


def test_a_layer_that_lets_something_through_for_any_image_is_not_called_zero():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())
    with torch.no_grad():
        for layer in (model[1], model[3]):
            layer.weight.fill_(1.0)
            layer.bias.fill_(-1.0)
    images = torch.zeros(inference.EVALUATION_BATCH + 3, 1, 28, 28)
    assert inference.zero_layers(model, images) == ["2", "4"]
    images[-1, 0, 0, :2] = 1.05  # 1.1 after the first layer in each of ten units, 10 after the second.
    assert inference.zero_layers(model, images) == []
    images[-1, 0, 0, :2] = 0.52  # 0.04 after the first, below 0 after the second.
    assert inference.zero_layers(model, images) == ["4"]
    assert not model[2]._forward_hooks  # Nothing is left behind.
