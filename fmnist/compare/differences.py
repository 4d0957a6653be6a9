"""What differs between compared groups besides the model. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from fmnist.grid import FACTORS, Factor
from fmnist.recipe import LATER, OPTIMIZERS
from fmnist.store.library import Group
from fmnist.store.run import Run
from fmnist.words import exact

RECIPE = "Recipes are compared as much as models."
TIMES = "Their times can't be compared."
VERSIONS = "Another version may give slightly different results, and be faster or slower."


def _asks(factor: Factor) -> Callable[[Run], object]:
    return lambda run: factor.say(getattr(run.recipe, factor.field))


ASPECTS: tuple[tuple[str, Callable[[Run], object], str], ...] = (
    ("Epochs", lambda run: run.recipe.epochs, RECIPE),
    ("Learning rate", lambda run: exact(run.recipe.learning_rate), RECIPE),
    ("Batch size", lambda run: run.recipe.batch_size, RECIPE),
    ("Optimiser", lambda run: OPTIMIZERS[run.recipe.optimizer], RECIPE),
    *((factor.title, _asks(factor), RECIPE) for factor in FACTORS if factor.field in LATER),
    (
        "Seeds",
        lambda run: run.recipe.seed,
        "Chance may favour one of them. Runs are compared in pairs only where both models have the same seeds.",
    ),
    ("Timing conditions", lambda run: run.conditions, TIMES),
    ("PyTorch version", lambda run: run.versions.get("torch", "?"), VERSIONS),
    ("NumPy version", lambda run: run.versions.get("numpy", "?"), VERSIONS),
    ("Python version", lambda run: run.versions.get("python", "?"), VERSIONS),
)
"""What it is called, where a run says it, and what follows if it differs. The data are the same wherever groups are
compared: groups are on one data set, whose files are checked by their published sums."""


def differing(groups: Sequence[Group]) -> pd.DataFrame:
    """What is not the same for all groups.

    Returns:
        A row for each aspect that differs: what, a column for each group's title (its values, as text), and so (what
        follows from it).
    """
    rows = []
    for what, of, so in ASPECTS:
        values = {group.title: said(of, group) for group in groups}
        if len(set(values.values())) > 1:
            rows.append({"what": what, **values, "so": so})
    return pd.DataFrame(rows, columns=["what", *(group.title for group in groups), "so"])


def said(of: Callable[[Run], object], group: Group) -> str:
    """What the runs of a group say of themselves: "3", or "0, 1, 2"."""
    return ", ".join(str(value) for value in dict.fromkeys(of(run) for run in group.runs))
