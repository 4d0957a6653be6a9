"""How much arithmetic a model takes: the right number, or none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fmnist.models import arithmetic
from fmnist.models.registry import ARCHITECTURES

IMAGE = torch.rand(1, 1, 28, 28)


class Rows(nn.Module):
    """Reads an image row by row."""

    def __init__(self, core: nn.Module, width: int) -> None:
        super().__init__()
        self.core = core
        self.head = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        read = self.core(images.squeeze(1))
        return self.head(read[0][:, -1] if isinstance(self.core, nn.RNNBase) else read.flatten(1))


class Weights(nn.Module):
    """Compares an image with a row of weights for each class, in one way or another."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(10, 784))
        self.answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.answer(images.flatten(1), self.weights)


BLOCK = nn.TransformerEncoderLayer(28, 4, 64, dropout=0.0, batch_first=True)
TOKENS, WIDTH, HIDDEN = 28, 28, 64
KNOWN = {
    "LSTM": (Rows(nn.LSTM(28, 64, batch_first=True), 64), 28 * 4 * 64 * (28 + 64) + 640),
    "GRU": (Rows(nn.GRU(28, 64, batch_first=True), 64), 28 * 3 * 64 * (28 + 64) + 640),
    # Queries, keys, values and the output; scores and their use; the two layers behind them.
    "encoder": (
        Rows(BLOCK, 784),
        TOKENS * 4 * WIDTH**2 + 2 * TOKENS**2 * WIDTH + TOKENS * 2 * WIDTH * HIDDEN + 7_840,
    ),
    "einsum": (Weights(lambda images, weights: torch.einsum("ni,ci->nc", images, weights)), 7_840),
    "usual layers": (
        nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Hardswish(inplace=True), nn.MaxPool2d(2), nn.Dropout()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8), nn.PReLU(), nn.Linear(8, 10)),
        ),
        26 * 26 * 9 * 8 + 80,
    ),
}
UNKNOWN = {
    "distances": lambda images, weights: -torch.cdist(images, weights),
    "a product written out": lambda images, weights: (images[:, None] * weights).sum(2),
    "a row after the other": lambda images, weights: torch.stack([(images * row).sum(1) for row in weights], 1),
    "differences squared": lambda images, weights: -((images[:, None] - weights) ** 2).sum(2),
    "a Fourier transform": lambda images, weights: torch.fft.fft(images).abs() @ weights.T,
    "three factors": lambda images, weights: nn.functional.bilinear(
        images[:, :28], images[:, 28:56], weights.view(10, 28, 28)
    ),
    "NumPy": lambda images, weights: torch.from_numpy(images.numpy() @ weights.detach().numpy().T),
    "nothing but additions": lambda images, weights: images[:, :10] + weights[:, 0],
}


@pytest.mark.parametrize("model, count", KNOWN.values(), ids=KNOWN)
def test_the_multiplications_of_layers_are_counted_whatever_kernel_computes_them(model, count):
    assert arithmetic.multiply_adds(model, IMAGE) == count
    assert torch.backends.mkldnn.enabled and torch.backends.mha.get_fastpath_enabled()  # As they were.


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_what_the_counter_does_not_know_is_not_counted_instead_of_0(answer):
    assert arithmetic.multiply_adds(Weights(answer), IMAGE) is None


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_a_plain_chain_of_layers_has_the_count_of_the_counter(model):
    module = ARCHITECTURES[model].build()
    assert arithmetic.multiply_adds(module, IMAGE) == arithmetic._watched(module, IMAGE)


def test_a_model_that_only_fails_while_it_is_counted_is_not_counted():
    def answer(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        if torch.utils._python_dispatch._get_current_dispatch_mode():
            raise RuntimeError("it can't be watched")
        return images @ weights.T

    model = Weights(answer)
    assert model(IMAGE).shape == (1, 10)
    assert arithmetic.multiply_adds(model, IMAGE) is None
