"""What a model answers to a few images while it is being trained: looked at so seldom that it costs next to nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from fmnist import metrics
from fmnist.training.gradients import Gradients

if TYPE_CHECKING:
    from fmnist.training.compiled import CompiledGradients

LOOK_SECONDS = 1.0
"""Between two looks, at least."""
MAX_SHARE = 0.02
"""Of all time that looks may take: a model that is slow to answer is asked less often."""


class Watch:
    """Asks a model that is being trained. Nothing of the training is touched: its random numbers are not those that are
    drawn here (`randomness.Draws`), and what a model changes in its buffers when it is asked is put back.

    Args:
        model: the model, whose buffers may change.
        computed: what has its present weights.
        images: float32 (K, 1, 28, 28) in [0, 1], on its device; none to ask for nothing.
    """

    def __init__(self, model: nn.Module, computed: Gradients | CompiledGradients, images: torch.Tensor) -> None:
        self._model = model
        self._computed = computed
        self._images = images
        self._next = 0.0

    def look(self) -> np.ndarray | None:
        """The present answers, uint8 (K,); None where it is too early to ask again."""
        began = time.perf_counter()
        if not len(self._images) or began < self._next:
            return None
        buffers = [
            (part._buffers, name, buffer, buffer.clone())
            for part in self._model.modules()
            for name, buffer in part._buffers.items()
            if buffer is not None
        ]
        logits = self._computed.logits(self._images)
        with torch.no_grad():
            for place, name, buffer, before in buffers:  # A model may have put another tensor there.
                place[name] = buffer.copy_(before)
        ended = time.perf_counter()
        self._next = ended + max(LOOK_SECONDS, (ended - began) / MAX_SHARE)
        return metrics.predict(logits)
