"""A comparison in numbers: the table that Compare shows, and that can be downloaded. No Streamlit, no torch."""

from __future__ import annotations

import pandas as pd

from fmnist.compare.cost_charts import COSTS
from fmnist.compare.summary import ACCURACY
from fmnist.store.run import SIZES, TIMES

COLUMNS = ("name", "source", "seeds", *ACCURACY, "dead", "accuracy_alive", *TIMES, *SIZES, "conditions", "remarks")
"""Of the comparison in numbers, that can be downloaded."""


def in_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """A row a group, with the columns `COLUMNS`.

    Args:
        table: `summary.as_tables`'s, one row a group.
    """
    return table.assign(
        seeds=table["seeds"].map(lambda seeds: " ".join(map(str, seeds))),
        remarks=[_remarks(group) for _, group in table.iterrows()],
        **{name: table[name].astype("Int64") for name in SIZES},
    )[list(COLUMNS)]


def _remarks(group: pd.Series) -> str:
    """What has to be known to read a row of the comparison in numbers."""
    said = [f"seed {run.recipe.seed} {run.trouble}" for run in group["runs"] if run.trouble]
    unknown = [f"{cost.name.lower()} {cost.unknown}" for cost in COSTS.values() if pd.isna(group[cost.column])]
    return "; ".join(said + unknown)
