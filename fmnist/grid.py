"""Lists of models, seeds and hyperparameters, and the grid of recipes that they make: what a sweep trains."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, KEPT, LATER, OPTIMIZERS, SCHEDULES, Recipe, RecipeError
from fmnist.words import exact, listed, shortened

MAX_RUNS = 1000
"""That one grid may ask for."""

MAX_HELD_OUT = 10_000
"""That a sweep holds out if nobody says how many: of a smaller data set a sixth of the training images."""

AUTOMATIC = "auto"
"""What people write for that."""

MAX_NAMED = 4
"""Values of a kind that `Grid.in_words` names; more are counted."""

T = TypeVar("T", bound=int | float)


def yes_or_no(on: bool) -> str:
    return "yes" if on else "no"


def is_yes(word: str) -> bool:
    """What `yes_or_no` has said.

    Raises:
        RecipeError: it is another word.
    """
    if word not in ("no", "yes"):
        raise RecipeError(f"{shortened(word, 20)!r} is neither yes nor no.")
    return word == "yes"


@dataclass(frozen=True)
class Factor:
    """Something besides the seed in which the recipes of a grid may differ: a field of `Recipe`, and its words."""

    field: str
    title: str
    plural: str
    say: Callable[[Any], str]  # a value under the title
    name: Callable[[Any], str]  # a value by itself


FACTORS = (
    Factor("model", "Model", "models", lambda id: ARCHITECTURES[id].name, lambda id: ARCHITECTURES[id].name),
    Factor("optimizer", "Optimiser", "optimisers", OPTIMIZERS.__getitem__, OPTIMIZERS.__getitem__),
    Factor("learning_rate", "Learning rate", "learning rates", exact, lambda rate: f"lr {exact(rate)}"),
    Factor("batch_size", "Batch size", "batch sizes", "{:,}".format, "batch {}".format),
    Factor(
        "epochs", "Epochs", "numbers of epochs", "{:,}".format, lambda count: f"{count} epoch{'s' if count > 1 else ''}"
    ),
    Factor(
        "weight_decay",
        "Weight decay",
        "weight decays",
        exact,
        lambda decay: f"weight decay {exact(decay)}" if decay else "no weight decay",
    ),
    Factor(
        "schedule",
        "Schedule",
        "schedules",
        SCHEDULES.__getitem__,
        {"constant": "constant rate", "cosine": "cosine"}.__getitem__,
    ),
    Factor("shift", "Shift", "shifts", str, lambda pixels: f"shift {pixels}" if pixels else "no shift"),
    Factor("mirror", "Mirroring", "choices of mirroring", yes_or_no, lambda on: "mirrored" if on else "not mirrored"),
    Factor(
        "validation",
        "Held out",
        "numbers of held-out images",
        "{:,}".format,
        lambda count: f"{count:,} held out" if count else "none held out",
    ),
    Factor("keep", "Epoch kept", "choices of the epoch", KEPT.__getitem__, "{} epoch".format),
)
SETTINGS = tuple(factor for factor in FACTORS if factor.field != "model")


@dataclass(frozen=True)
class Grid:
    """Every combination of some values. A value that is named twice counts once.

    Args:
        validations: None for `held_out_usually`.
    """

    models: Sequence[str]
    seeds: Sequence[int]
    epochs: Sequence[int]
    batch_sizes: Sequence[int]
    learning_rates: Sequence[float]
    optimizers: Sequence[str]
    dataset: str
    device: str = "auto"
    weight_decays: Sequence[float] = (0.0,)
    schedules: Sequence[str] = ("constant",)
    shifts: Sequence[int] = (0,)
    mirrors: Sequence[bool] = (False,)
    validations: Sequence[int] | None = (0,)
    keeps: Sequence[str] = ("last",)

    def __post_init__(self) -> None:
        if self.validations is None:
            object.__setattr__(self, "validations", (self.held_out_usually,))
        for field in ("seeds", *LISTS.values()):
            object.__setattr__(self, field, tuple(dict.fromkeys(getattr(self, field))))

    def values(self, field: str) -> tuple[Any, ...]:
        """Those of a field of `Recipe` that is a factor."""
        found: tuple[Any, ...] = getattr(self, LISTS[field])
        return found

    @property
    def held_out_usually(self) -> int:
        """How many training images are held out if nobody says how many: none where no setting is to be chosen."""
        lists = [getattr(self, LISTS[factor.field]) for factor in SETTINGS if factor.field != "validation"]
        if not any(len(set(values)) > 1 for values in lists) or self.dataset not in DATASETS:
            return 0
        return min(MAX_HELD_OUT, DATASETS[self.dataset].train // 6)

    def on(self, dataset: str) -> Grid:
        """The same on other data, which may not have as many images to hold out."""
        held_out = self.values("validation")
        if held_out == (self.held_out_usually,):
            return replace(self, dataset=dataset, validations=None)
        most = DATASETS[dataset].train // 2
        return replace(self, dataset=dataset, validations=[min(count, most) for count in held_out])

    @property
    def count(self) -> int:
        """How many runs it asks for."""
        return math.prod(self._counts().values())

    @property
    def is_sweep(self) -> bool:
        """Whether more than models and seeds differ."""
        return any(len(self.values(factor.field)) > 1 for factor in SETTINGS)

    def _counts(self) -> dict[str, int]:
        return {factor.plural: len(self.values(factor.field)) for factor in FACTORS} | {"seeds": len(self.seeds)}

    def describe(self) -> str:
        """How many runs it asks for, and why: "2 models × 3 learning rates × 5 seeds = 30 runs"."""
        several = [f"{count} {plural}" for plural, count in self._counts().items() if count != 1]
        return f"{' × '.join(several) or 'one setting'} = {self.count:,} run{'s' if self.count != 1 else ''}"

    def in_words(self) -> str:
        """What models and seeds share: "SGD, learning rate 0.01, 0.03 or 0.1, batches of 32, 3 epochs". Of what earlier
        versions did not know only what is not at its default."""

        def named(words: Sequence[str], plural: str, form: str = "{}") -> str:
            return form.format(listed(words, "or")) if len(words) <= MAX_NAMED else f"{len(words)} {plural}"

        epochs = "{} epoch" if self.epochs == (1,) else "{} epochs"
        parts = [
            listed([OPTIMIZERS[name] for name in self.optimizers], "or"),
            named([exact(rate) for rate in self.learning_rates], "learning rates", "learning rate {}"),
            named([f"{size:,}" for size in self.batch_sizes], "batch sizes", "batches of {}"),
            named([f"{count:,}" for count in self.epochs], "numbers of epochs", epochs),
        ]
        for factor in FACTORS:
            values = self.values(factor.field)
            if factor.field in LATER and values != (LATER[factor.field],):
                parts.append(named([factor.name(value) for value in values], factor.plural))
        return ", ".join(parts if self.device == "auto" else [*parts, f"on {DEVICES[self.device]}"])

    @property
    def is_published(self) -> bool:
        """Whether all of it is trained by the published recipe, whatever the models, seeds, data and device."""
        return not self.is_sweep and all(recipe.published for recipe in self.recipes()[:1])

    def recipes(self) -> list[Recipe]:
        """The recipes, in the order in which they should be trained: what is over soon first, seeds side by side.

        The queue itself puts quick models before slow ones.

        Raises:
            RecipeError: a value is unknown or out of range, or they are more than `MAX_RUNS`.
        """
        if self.count > MAX_RUNS:
            raise RecipeError(
                f"This asks for {self.count:,} runs ({self.describe().partition(' = ')[0]}), and at most "
                f"{MAX_RUNS:,} can be asked for at once: leave out some values or seeds."
            )
        models = sorted(self.models, key=ARCHITECTURES.place)
        settings = product(
            sorted(self.epochs),
            sorted(self.batch_sizes, reverse=True),
            self.learning_rates,
            self.optimizers,
            *(self.values(field) for field in LATER),
        )
        return [
            Recipe(
                model,
                seed,
                self.dataset,
                epochs,
                batch_size,
                learning_rate,
                optimizer,
                self.device,
                **dict(zip(LATER, later, strict=True)),
            )
            for epochs, batch_size, learning_rate, optimizer, *later in settings
            for model in models
            for seed in self.seeds
        ]


@dataclass(frozen=True)
class Several:
    """Recipes on one data set that are not every combination of some values; for `Plan` what a `Grid` is.

    Args:
        listed: not empty, in the order in which they should be trained.
    """

    listed: tuple[Recipe, ...]
    is_sweep = True  # They are described before they are trained.

    @property
    def dataset(self) -> str:
        return self.listed[0].dataset

    def recipes(self) -> list[Recipe]:
        """As of a grid."""
        return list(self.listed)

    def describe(self) -> str:
        """As of a grid: "2 settings, 10 runs"."""
        settings, count = len({recipe.group() for recipe in self.listed}), len(self.listed)
        return f"{settings} setting{'s' if settings != 1 else ''}, {count:,} run{'s' if count != 1 else ''}"


LISTS = {
    "model": "models",
    "optimizer": "optimizers",
    "learning_rate": "learning_rates",
    "batch_size": "batch_sizes",
    "epochs": "epochs",
    "weight_decay": "weight_decays",
    "schedule": "schedules",
    "shift": "shifts",
    "mirror": "mirrors",
    "validation": "validations",
    "keep": "keeps",
}
"""By field of `Recipe`, where a `Grid` has its values."""


def spanning(recipes: Sequence[Recipe], seeds: int) -> Grid:
    """The smallest grid on their data set that holds these recipes, with so many seeds."""
    lists: dict[str, Any] = {name: [getattr(recipe, field) for recipe in recipes] for field, name in LISTS.items()}
    return Grid(seeds=range(seeds), dataset=recipes[0].dataset, **lists)


def differing(recipes: Iterable[Recipe], factors: Sequence[Factor] = FACTORS) -> list[Factor]:
    """In what recipes differ."""
    recipes = list(recipes)
    return [factor for factor in factors if len({getattr(recipe, factor.field) for recipe in recipes}) > 1]


def worth_showing(recipes: Iterable[Recipe]) -> list[Factor]:
    """What a table of recipes has a column for: of what earlier versions did not know only what is not at its default
    in all of them."""
    found = {field for recipe in recipes for field in recipe.later()}
    return [factor for factor in FACTORS if factor.field not in LATER or factor.field in found]


def distinguish(recipe: Recipe, factors: Sequence[Factor]) -> str:
    """A recipe's values of some factors, in a few words: "Adam, lr 0.001"."""
    return ", ".join(factor.name(getattr(recipe, factor.field)) for factor in factors)


# --- Lists as people write them ---

DECIMAL_COMMA = re.compile(r"(?<![^\s;])(\d+),(\d+)(?:,\d+,\d+)*(?![^\s;])")
"""A number, or several: 0,05 or 0,05,0,1. In 0.01,0.1 and in 10,1,0.1 the commas stand between numbers."""


def whole_numbers(text: str) -> list[int]:
    """ "1, 3" as whole numbers. Whether they are in range is for `Recipe` to say.

    Raises:
        RecipeError: something else stands there.
    """
    return _numbers(text, int, "a whole number", "1, 3")


def held_out_numbers(text: str) -> list[int] | None:
    """The same of held-out images; None for "auto", as `Grid` takes it."""
    return None if text.strip().lower() == AUTOMATIC else whole_numbers(text)


def decimals(text: str) -> list[float]:
    """ "0.1, 1e-3" as numbers; see `whole_numbers`. A comma that may be meant for a decimal point is refused: digits
    alone on both sides, and no space."""
    if comma := DECIMAL_COMMA.search(text):
        whole, part = comma.groups()
        raise RecipeError(
            f"{shortened(comma[0], 20)!r} looks like a decimal comma: write a point, as in "
            f"{shortened(f'{whole}.{part}', 20)}, or a space between two numbers."
        )
    return _numbers(text, float, "a number", "0.1, 0.01")


def _numbers(text: str, kind: Callable[[str], T], what: str, example: str) -> list[T]:
    parts = text.replace(",", " ").replace(";", " ").split()
    if not parts:
        raise RecipeError(f"A value is missing: write one number or several, such as {example}.")
    numbers = []
    for part in parts:
        try:
            if "_" in part:  # Python reads 1_0 as ten.
                raise ValueError(part)
            numbers.append(kind(part))
        except ValueError:
            raise RecipeError(
                f"{shortened(part, 20)!r} is not {what}: write one or several, such as {example}."
            ) from None
    return numbers


def as_text(values: Iterable[float] | None) -> str:
    """Numbers as `whole_numbers` and `decimals` read them; of None "auto"."""
    if values is None:
        return AUTOMATIC
    return ", ".join(exact(value) if isinstance(value, float) else str(value) for value in values)
