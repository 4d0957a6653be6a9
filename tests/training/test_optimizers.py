"""The optimizers, beside PyTorch's."""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from fmnist import settings
from fmnist.training.optimizers import Sgd


def learn(model: nn.Module, optimizer: Sgd | torch.optim.SGD, steps: range) -> None:
    """So many steps, each with images of its own."""
    for step in steps:
        model.zero_grad()
        images = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(step))
        model(images).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_gives_the_weights_of_pytorchs_bit_for_bit_and_after_a_break(momentum):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))
    layers[0].bias.requires_grad = False  # One that has no gradient.
    models = [copy.deepcopy(layers).to(memory_format=torch.channels_last) for _ in range(3)]
    theirs = torch.optim.SGD(models[0].parameters(), lr=0.01, momentum=momentum)
    learn(models[0], theirs, range(20))
    ours = [Sgd(model.parameters(), 0.01, momentum) for model in models[1:]]
    learn(models[1], ours[0], range(20))
    learn(models[2], ours[1], range(10))
    resumed = Sgd(models[2].parameters(), 0.01, momentum)
    resumed.load_state_dict(ours[1].state_dict())
    learn(models[2], resumed, range(10, 20))
    for model in models[1:]:
        assert all(torch.equal(*pair) for pair in zip(model.parameters(), models[0].parameters(), strict=True))
    assert not torch.equal(models[0][3].weight, layers[3].weight)
    # A checkpoint written by either can be read by the other.
    found, expected = ours[0].state_dict()["state"], theirs.state_dict()["state"]
    kept = {index for index, values in expected.items() if values.get("momentum_buffer") is not None}
    assert found.keys() == kept and bool(kept) == bool(momentum)


def test_pytorchs_compiler_is_not_loaded_for_the_published_recipe():
    """Nor what it is made of: it would take more than a second, for which the first point of each curve would wait."""
    code = """
        import sys
        import numpy as np
        from fmnist.data import files, sample
        from fmnist.models.registry import ARCHITECTURES
        from fmnist.recipe import Recipe
        from fmnist.training import loop, preload
        arrays = (*sample.draw(40, seed=1), *sample.draw(10, seed=2))
        data = files._dataset("sample", *(array.astype(np.uint8) for array in arrays))
        for model in ARCHITECTURES:
            *_, finished = loop.train(Recipe(model, 0, "sample", 1, device="cpu"), data, compiled=False)
            assert finished.weights
        assert "torch" in sys.modules and {"torch._dynamo", "sympy", "triton"}.isdisjoint(sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=settings.PROJECT).returncode == 0
