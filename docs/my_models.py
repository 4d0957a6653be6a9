"""Two custom models, as docs/custom-model.md explains them.

FMNIST_MODELS=docs/my_models.py streamlit run dashboard.py
"""

import torch
from torch import nn

from fmnist.models.registry import register


@register("norm-cnn", "Norm CNN", channels_last=True)
class NormCNN(nn.Module):
    """Two convolutions with batch norm, and dropout before the last layer. 20,538 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*self.block(1, 16), *self.block(16, 32))
        self.classify = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 7 * 7, 10))

    @staticmethod
    def block(channels_in: int, channels_out: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float32 (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""
        return self.classify(self.features(images))


@register("mlp", "MLP")
def mlp() -> nn.Module:
    """One hidden layer of 128 units. 101,770 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 128), nn.GELU(), nn.Dropout(0.2), nn.Linear(128, 10))
