"""What Train's form asks for, as its address says it: for links to it, reloads, and the browser's Back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from fmnist import settings
from fmnist.grid import Grid, as_text, decimals, held_out_numbers, is_yes, spanning, whole_numbers, yes_or_no
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe, RecipeError
from fmnist.ui import address
from fmnist.ui.links import PAGES
from fmnist.words import shortened

MAX_SEEDS = 20
LISTS = {
    "models": "model",
    "optimizer": "optimiser",
    "schedule": "schedule",
    "mirror": "choice of mirroring",
    "keep": "epoch to keep",
}
"""The widgets of which at least one value has to be chosen, and what that is."""
NUMBERS: dict[str, Callable[[str], Sequence[float] | None]] = {
    "epochs": whole_numbers,
    "rate": decimals,
    "batch": whole_numbers,
    "decay": decimals,
    "shift": whole_numbers,
    "validation": held_out_numbers,
}
ASKED = ("models", "dataset", "seeds", *NUMBERS, "optimizer", "schedule", "mirror", "keep", "device")
"""What an address of Train can fill in: keys of its widgets. All but data, seeds and device may be lists."""


def link_to_train(label: str, recipes: Sequence[Recipe], seeds: int) -> None:
    """A link to the Train page with the grid filled in that holds these recipes, and so many seeds; none where it has
    no form."""
    if not settings.read_only():
        st.page_link(PAGES["Train"], label=label, icon=":material/play_arrow:", query_params=filled_in(recipes, seeds))


def filled_in(recipes: Sequence[Recipe], seeds: int) -> dict[str, str]:
    """The query of an address of Train, whose form has the grid that holds these recipes, and so many seeds.

    It names the defaults, too: on a form that was filled in before, what is not named stays.
    """
    return _words(_form(spanning(recipes, seeds)))


def settle_form() -> None:
    """Have Train's form and the address of the page say the same, just before the form is drawn.

    When somebody opens the page by an address that asks for something, or goes back or forward to it, the address
    counts, and what it does not name is the default; one that makes no recipe is ignored, which is said. Else counts
    what was chosen since, also before a visit to other pages. The default does not stand in the address.
    """
    default = published(seeds=1)
    asked = {name: st.query_params[name] for name in ASKED if name in st.query_params}
    if address.counts_for("models") and (asked or address.was_navigated()):
        _fill_in_what_is_asked(_words(_form(default)) | asked)
    for key, value in _form(default).items():
        st.session_state.setdefault(key, value)
    _forget_former_models()
    usual, now = _words(_form(default)), _words({key: st.session_state[key] for key in ASKED})
    address.settle_words({name: now[name] if now.get(name, usual[name]) != usual[name] else None for name in ASKED})


def _fill_in_what_is_asked(words: Mapping[str, str]) -> None:
    refused = ""
    try:
        fill_in(_grid(_parsed(words)))
    except ValueError as error:  # RecipeError is one.
        refused = f"The address asks for something that can't be trained, and is ignored: {error}"
    address.note_in_vain("models", refused)


def published(seeds: int) -> Grid:
    """The project's models by the published recipe: with one seed, what the form asks for before anybody changes it."""
    return spanning([Recipe(model) for model in ARCHITECTURES.project], seeds)


def fill_in(grid: Grid) -> None:
    """Have the form ask for a grid. Called before its widgets are drawn."""
    st.session_state.update(_form(grid))


def grid_of_form() -> Grid:
    """What the form asks for.

    Raises:
        RecipeError: a value can't be used, or there are too many runs.
    """
    return _grid(st.session_state)


# --- The form, as the values of its widgets, and the words of an address ---


def _form(grid: Grid) -> dict[str, Any]:
    return {
        "models": list(grid.models),
        "dataset": grid.dataset,
        "seeds": len(grid.seeds),
        "epochs": as_text(grid.epochs),
        "rate": as_text(grid.learning_rates),
        "batch": as_text(grid.batch_sizes),
        "optimizer": list(grid.optimizers),
        "decay": as_text(grid.weight_decays),
        "schedule": list(grid.schedules),
        "shift": as_text(grid.shifts),
        "mirror": [yes_or_no(on) for on in grid.mirrors],
        "validation": as_text(None if grid.validations == (grid.held_out_usually,) else grid.validations),
        "keep": list(grid.keeps),
        "device": grid.device,
    }


def _grid(form: Mapping[Any, Any]) -> Grid:
    """What values of the widgets ask for.

    Raises:
        RecipeError: as `grid_of_form`.
    """
    grid = Grid(
        form["models"],
        range(form["seeds"]),
        whole_numbers(form["epochs"]),
        whole_numbers(form["batch"]),
        decimals(form["rate"]),
        form["optimizer"],
        form["dataset"],
        form["device"],
        decimals(form["decay"]),
        form["schedule"],
        whole_numbers(form["shift"]),
        [is_yes(word) for word in form["mirror"]],
        held_out_numbers(form["validation"]),
        form["keep"],
    )
    grid.recipes()
    return grid


def _words(form: Mapping[str, Any]) -> dict[str, str]:
    """By name what stands in an address. What can't be used is left out, so that the rest is still an address."""
    words = {name: str(form[name]) for name in ("dataset", "seeds", "device")}
    words["models"] = ",".join(id.partition("@")[0] for id in sorted(form["models"], key=ARCHITECTURES.place))
    words |= {name: ",".join(form[name]) for name in LISTS if name != "models"}
    for name, read in NUMBERS.items():
        with suppress(RecipeError):
            words[name] = as_text(read(form[name]))
    return {name: words[name] for name in ASKED if words.get(name)}


def _parsed(words: Mapping[str, str]) -> dict[str, Any]:
    """Values of the widgets. Whether they make a recipe is for `_grid` to say.

    Raises:
        ValueError: there are not so many seeds; a sentence.
    """
    text = words["seeds"]
    seeds = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not 1 <= seeds <= MAX_SEEDS:
        raise ValueError(f"The number of seeds must be a whole number from 1 to {MAX_SEEDS}, not {shortened(text)}.")
    return {**words, "seeds": seeds, **{name: words[name].split(",") for name in LISTS}}


def _forget_former_models() -> None:
    """A model that was chosen, and whose file was changed since, is now the changed one; if there still is one."""
    ids = [ARCHITECTURES.full_id(id.partition("@")[0]) for id in st.session_state["models"]]
    now = [id for id in ids if id in ARCHITECTURES]
    if now != st.session_state["models"]:
        st.session_state["models"] = now
