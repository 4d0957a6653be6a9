"""Links that open the Train page with a recipe filled in, and what that page makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist import settings
from fmnist.grid import Grid, as_text, decimals, spanning, whole_numbers
from fmnist.recipe import Recipe

MAX_SEEDS = 20
ASKED = ("models", "dataset", "seeds", "epochs", "rate", "batch", "optimizer")
"""What an address of Train can fill in: keys of its widgets. All but data and seeds may be lists."""


def link_to_train(label: str, recipes: Sequence[Recipe], seeds: int) -> None:
    """A link to the Train page with the grid filled in that holds these recipes, and so many seeds; none where it has
    no form."""
    if not settings.read_only():
        st.page_link(
            "pages/1_Train.py", label=label, icon=":material/play_arrow:", query_params=filled_in(recipes, seeds)
        )


def filled_in(recipes: Sequence[Recipe], seeds: int) -> dict[str, str]:
    """The query of an address of Train, whose form has the grid that holds these recipes, and so many seeds."""
    grid = spanning(recipes, seeds)
    models, optimizers = ",".join(sorted(grid.models)), ",".join(grid.optimizers)
    numbers = as_text(grid.epochs), as_text(grid.learning_rates), as_text(grid.batch_sizes)
    values = (models, grid.dataset, str(seeds), *numbers, optimizers)
    return dict(zip(ASKED, values, strict=True))


def fill_in_train() -> None:
    """Take over what the address of the Train page asks for, once. An address that makes no recipe is ignored."""
    asked = {name: st.query_params[name] for name in ASKED if name in st.query_params}
    if len(asked) < len(ASKED):
        return
    st.query_params.clear()
    try:
        seeds = int(asked["seeds"])
        if not 1 <= seeds <= MAX_SEEDS:
            return
        grid = Grid(
            asked["models"].split(","),
            range(seeds),
            whole_numbers(asked["epochs"]),
            whole_numbers(asked["batch"]),
            decimals(asked["rate"]),
            asked["optimizer"].split(","),
            asked["dataset"],
        )
        grid.recipes()
    except ValueError:  # RecipeError is one.
        return
    st.session_state.update(
        models=list(grid.models),
        dataset=grid.dataset,
        seeds=seeds,
        epochs=as_text(grid.epochs),
        rate=as_text(grid.learning_rates),
        batch=as_text(grid.batch_sizes),
        optimizer=list(grid.optimizers),
    )
