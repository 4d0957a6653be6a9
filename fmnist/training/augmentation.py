"""Training images that are shifted and mirrored, anew in each epoch, on the device where the training runs."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from fmnist.data.framing import SIDE
from fmnist.recipe import Recipe


class Augmentation:
    """What a recipe does with training images before they are learnt from. The draws depend on seed and epoch alone,
    one for each image, whatever batch it comes in.

    Args:
        count: the number of training images.
    """

    def __init__(self, recipe: Recipe, count: int, device: torch.device) -> None:
        self._recipe, self._count, self._device = recipe, count, device
        self._pixels = torch.arange(SIDE, device=device)
        self._moves, self._mirrored = self.draw(1)

    def begin(self, epoch: int) -> None:
        """Start an epoch."""
        self._moves, self._mirrored = (drawn.to(self._device) for drawn in self.draw(epoch))

    def draw(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What happens to each image in an epoch: by how many pixels it is moved down and to the right, int64
        (2, count), and whether it is mirrored, bool (count,)."""
        # Not the numbers of `randomness`: seeds stay under 2**31 and epochs under 2**10.
        generator = torch.Generator().manual_seed(2**43 + self._recipe.seed * 2**10 + epoch)
        most = self._recipe.shift
        moves = torch.randint(-most, most + 1, (2, self._count), generator=generator)
        mirrored = torch.rand(self._count, generator=generator) < 0.5
        return moves, mirrored & self._recipe.mirror

    def __call__(self, images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Images as they are learnt from in this epoch: mirrored, then moved, with black where nothing was.

        Args:
            images: float32 (N, 1, 28, 28).
            places: of these among the training images, int64 (N,).
        """
        most = self._recipe.shift
        if not most and not self._recipe.mirror:
            return images
        down, right = self._moves[:, places, None]
        rows, columns = self._pixels - down, self._pixels - right
        columns = torch.where(self._mirrored[places, None], SIDE - 1 - columns, columns)
        each = torch.arange(len(images), device=self._device)[:, None, None]
        padded = pad(images[:, 0], (most,) * 4)
        return padded[each, (rows + most)[:, :, None], (columns + most)[:, None, :]][:, None]
