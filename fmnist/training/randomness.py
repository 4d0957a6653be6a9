"""All that is random in a training. It depends on (seed, epoch) alone, so epochs can be resumed."""

from __future__ import annotations

import torch


def order(seed: int, epoch: int, count: int) -> torch.Tensor:
    """The order of an epoch's images, int64 (count,)."""
    # Seeds stay under 2**31 and epochs under 2**10, so each pair has a generator seed of its own.
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed * 2**10 + epoch))


class Draws:
    """The random numbers of a training, which dropout draws: within, torch's own are exchanged for them.

    Whoever takes the events of a training has random numbers of their own.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._ours = self._theirs = self._state()

    def begin(self, seed: int, epoch: int) -> None:
        """Start an epoch."""
        with self:
            # Not the numbers that make the order of the images.
            torch.manual_seed(2**42 + seed * 2**10 + epoch)

    def _state(self) -> list[torch.Tensor]:
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if self._cuda else [])]

    @staticmethod
    def _set(state: list[torch.Tensor]) -> None:
        torch.set_rng_state(state[0])
        for cuda in state[1:]:
            torch.cuda.set_rng_state(cuda)

    def __enter__(self) -> None:
        self._theirs = self._state()
        self._set(self._ours)

    def __exit__(self, *_: object) -> None:
        self._ours = self._state()
        self._set(self._theirs)
