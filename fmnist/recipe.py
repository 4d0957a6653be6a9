"""Recipe: everything that decides a result, and the key under which the result is kept."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fmnist.data.catalog import DATASETS, DEFAULT, DatasetInfo
from fmnist.models.registry import ARCHITECTURES
from fmnist.words import exact, shortened

TRAINING_VERSION = 1
"""Part of every key. Raise it when the training loop changes in a way that changes weights."""

OPTIMIZERS = {"sgd": "SGD", "sgd-momentum": "SGD, momentum 0.9", "adam": "Adam"}
SCHEDULES = {"constant": "Constant", "cosine": "Cosine"}
KEPT = {"last": "Last", "best": "Best"}
MAX_SHIFT = 2
DEVICES = {"auto": "Automatic", "cpu": "CPU", "cuda": "CUDA"}


class RecipeError(ValueError):
    """A recipe that can't be trained. The message is a sentence for the user."""


@dataclass(frozen=True)
class Recipe:
    """One training run, before it happens. The defaults are the published recipe (mrdbourke/pytorch-deep-learning, 03).

    Raises:
        RecipeError: a value is unknown or out of range.
    """

    model: str
    seed: int = 0
    dataset: str = DEFAULT
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 0.1
    optimizer: str = "sgd"
    device: str = "auto"
    validation: int = 0
    """How many training images are held out, to choose by: `data.held_out` says which."""
    weight_decay: float = 0.0
    """Of Adam, decoupled from the gradient: AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101)."""
    schedule: str = "constant"
    """Of the learning rate over the steps of the whole run: see `SCHEDULES`."""
    shift: int = 0
    """By up to so many pixels each training image is moved, anew in each epoch."""
    mirror: bool = False
    """Whether each training image is mirrored with probability 1/2, anew in each epoch."""
    keep: str = "last"
    """After which epoch the weights are kept: the "last", or the "best" on the held-out images."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))  # 1 and 1.0 are the same recipe.
        object.__setattr__(self, "model", ARCHITECTURES.full_id(self.model))  # Of a custom model, its present version.
        for field, value, known in (
            ("model", self.model, ARCHITECTURES),
            ("dataset", self.dataset, DATASETS),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("epoch to keep", self.keep, KEPT),
            ("device", self.device, DEVICES),
        ):
            if value not in known:
                names = [model.short_id for model in known.values()] if known is ARCHITECTURES else known
                raise RecipeError(f"There is no {field} {value!r}: choose from {', '.join(names)}.")
        for name, number, low, high in (
            ("seed", self.seed, 0, 2**31 - 1),
            ("number of epochs", self.epochs, 1, 1000),
            ("batch size", self.batch_size, 1, 10_000),
            ("number of held-out images", self.validation, 0, self.info.train // 2),
            ("shift in pixels", self.shift, 0, MAX_SHIFT),
        ):
            if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
                raise RecipeError(
                    f"The {name} must be a whole number from {low:,} to {high:,}, not {shortened(number)}."
                )
        if not (math.isfinite(self.learning_rate) and 0 < self.learning_rate <= 100):
            raise RecipeError(f"The learning rate must be greater than 0 and at most 100, not {self.learning_rate}.")
        if not (math.isfinite(self.weight_decay) and 0 <= self.weight_decay <= 1):
            raise RecipeError(f"The weight decay must be a number from 0 to 1, not {self.weight_decay}.")
        if not isinstance(self.mirror, bool):
            raise RecipeError(f"Whether images are mirrored must be true or false, not {self.mirror!r}.")
        if self.weight_decay and self.optimizer != "adam":
            raise RecipeError(
                f"Weight decay needs Adam (it then trains as AdamW), not {OPTIMIZERS[self.optimizer]}: choose Adam "
                "alone, or a weight decay of 0."
            )
        if self.keep == "best" and not self.validation:
            raise RecipeError(
                "Which epoch is the best is decided on held-out images: hold out some, or keep the last epoch."
            )

    def to_json(self) -> str:
        """As JSON. What earlier versions did not know is left out at its default, so that their keys stay the same."""
        known = {name: value for name, value in vars(self).items() if value != LATER.get(name)}
        return json.dumps(known, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        return cls(**json.loads(text))

    def key(self, fingerprint: str) -> str:
        """The cache key: equal for two recipes exactly when they must give the same weights on the same machine by the
        same versions. Whether compiled kernels or autograd computed the gradients is none of it: their weights differ
        in rounding, as those of two machines do, and what is trained need not be trained again.

        Args:
            fingerprint: of the data (`Dataset.fingerprint`).
        """
        parts = [str(TRAINING_VERSION), self.to_json(), fingerprint, ARCHITECTURES[self.model].definition]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data set."""
        return DATASETS[self.dataset]

    @property
    def evaluated_on(self) -> str:
        """The images on which a run is measured after each epoch: "validation" (the held-out ones), or "test" where
        none are held out. Of the former the test images are no part: they are used once, at the end."""
        return "validation" if self.validation else "test"

    @property
    def needs_weights_alone(self) -> bool:
        """Whether a run that has made fewer epochs can go on with nothing but its weights: no optimizer that remembers
        earlier steps, and nothing that depends on how many epochs there will be."""
        return self.optimizer == "sgd" and self.schedule == "constant" and self.keep == "last"

    def steps_per_epoch(self, images: int) -> int:
        """How many steps an epoch has.

        Args:
            images: the number of training images, held-out ones included.
        """
        return math.ceil((images - self.validation) / self.batch_size)

    def group(self) -> Recipe:
        """The recipe that all seeds share: seed 0, and the device left open (runs record where they really ran)."""
        shared = {field: value for field, value in vars(self).items() if field not in ("seed", "device")}
        return _group(**shared)

    def describe(self) -> str:
        """The recipe without model, seed and data, in a few words: "SGD, lr 0.1, batch 32, 3 epochs"."""
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        said = [
            OPTIMIZERS[self.optimizer],
            f"lr {exact(self.learning_rate)}",
            f"batch {self.batch_size}",
            epochs,
            f"weight decay {exact(self.weight_decay)}" if self.weight_decay else "",
            "cosine" if self.schedule == "cosine" else "",
            f"shift {self.shift}" if self.shift else "",
            "mirrored" if self.mirror else "",
            f"{self.validation:,} held out" if self.validation else "",
            "best epoch" if self.keep == "best" else "",
        ]
        return ", ".join(filter(None, said))

    def later(self) -> list[str]:
        """The fields of `LATER` that are not at their default."""
        return [field for field, default in LATER.items() if getattr(self, field) != default]

    @property
    def published(self) -> bool:
        """Whether this is the published recipe, whatever the model, seed, data and device."""
        return self.group() == Recipe(self.model, dataset=self.dataset)


def measured_on(recipes: Iterable[Recipe]) -> str:
    """The images on which recipes are measured after each epoch, for people: "test", "held-out", "test or held-out"."""
    words = {"test": "test", "validation": "held-out"}
    return " or ".join(words[part] for part in sorted({recipe.evaluated_on for recipe in recipes}))


LATER: dict[str, str | int | float | bool] = {
    "validation": 0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "shift": 0,
    "mirror": False,
    "keep": "last",
}
"""The fields that recipes of earlier versions do not have, with their defaults."""


@lru_cache(maxsize=4096)  # Thousands of runs share some recipes, and a table of them asks each run.
def _group(**shared: str | int | float) -> Recipe:
    return Recipe(**shared)  # type: ignore[arg-type]
