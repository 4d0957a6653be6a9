"""The form of the Train page: models, data and recipe, what that will take, and the button."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.grid import FACTORS, Grid, as_text, decimals, whole_numbers
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, OPTIMIZERS, Recipe, RecipeError
from fmnist.store.library import Library
from fmnist.training import launcher
from fmnist.training.dry_run import Plan
from fmnist.ui import data_download, resources, train_start
from fmnist.ui.train_link import MAX_SEEDS
from fmnist.words import escape

PUBLISHED = Recipe("0")
LONGEST_LIST = 300  # characters
NUMBERS = (
    ("Epochs", PUBLISHED.epochs, "epochs"),
    ("Learning rate", PUBLISHED.learning_rate, "rate"),
    ("Batch size", PUBLISHED.batch_size, "batch"),
)


def say_read_only() -> None:
    """What stands in the place of the form."""
    st.info(
        "**This dashboard is for looking.** What is trained appears here while it is trained, and on the other pages "
        "when it is done. Whoever runs it trains with `python -m fmnist train`, or in a dashboard of their own "
        "on the same results.",
        icon=":material/visibility:",
    )


def forget_former_models() -> None:
    """A model that was chosen, and whose file was changed since, is now the changed one; if there still is one."""
    if "models" in st.session_state:
        ids = [ARCHITECTURES.full_id(id.partition("@")[0]) for id in st.session_state["models"]]
        now = [id for id in ids if id in ARCHITECTURES]
        if now != st.session_state["models"]:  # Otherwise Streamlit would warn of a default beside a value.
            st.session_state["models"] = now


def ask(library: Library) -> None:
    """The recipe, what it will take, and the button."""
    models, dataset, seeds = ask_what()
    for fault in custom.faults():
        st.error(escape(fault.text), icon=":material/code_off:")
    for model in map(ARCHITECTURES.__getitem__, models):
        if model.remark:
            st.warning(escape(f"{model.name}: {model.remark}"), icon=":material/code:")
    grid = ask_recipe(models, dataset, seeds)
    try:
        images = resources.dataset(dataset, library.own)
    except DataError as error:
        train_start.ask_without_data(library, dataset, grid, error)
        return
    download = data_download.download_of(library.own, dataset)
    if download.refused:  # Once: who has asked for it looks here first.
        st.warning(escape(download.refused), icon=":material/front_hand:")
        download.refused = ""
    plan = Plan(library, grid, images, launcher.slots_of(library.own, settings.ray_address())) if grid else None
    full = plan is not None and bool(plan.todo) and train_start.is_full(library)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button(
            "Train", type="primary", icon=":material/play_arrow:", disabled=not plan or full, key="train"
        )
        if plan and plan.trained and st.toggle("Train again what is trained already", key="again"):
            plan = replace(plan, again=True)
        if plan:
            st.caption(f"{plan.say()} {train_start.FULL}" if full else plan.say())
    if plan and plan.grid.is_sweep:
        show_grid(plan)
    if plan and pressed:
        train_start.train(library, plan)


def ask_what() -> tuple[list[str], str, int]:
    """The models to train, by their ids; the data, and how many seeds of each."""
    left, middle, right = st.columns([5, 4, 2], gap="medium", vertical_alignment="bottom")
    models = left.pills(
        "Models",
        list(ARCHITECTURES),
        selection_mode="multi",
        default=ARCHITECTURES.project,
        key="models",
        format_func=lambda id: ARCHITECTURES[id].name,
        persist_state="session",
    )
    dataset = middle.segmented_control(
        "Data",
        list(DATASETS),
        format_func=lambda name: DATASETS[name].title,
        default=PUBLISHED.dataset,
        required=True,
        wrap=True,
        key="dataset",
        persist_state="session",
        help="The sample data are generated drawings of clothes, for a machine without network.",
    )
    seeds = right.number_input(
        "Seeds",
        1,
        MAX_SEEDS,
        1,
        key="seeds",
        persist_state="session",
        help="How often each model is trained, from other initial weights and in another order. "
        "One run proves little: accuracy moves by some points from seed to seed.",
    )
    return models, dataset, seeds


def ask_recipe(models: list[str], dataset: str, seeds: int) -> Grid | None:
    """What to train; None if a value can't be used, which is said."""
    with st.expander("Recipe", icon=":material/tune:"):
        columns = st.columns(4)
        epochs, rates, batches = (
            column.text_input(label, as_text([default]), LONGEST_LIST, key, persist_state="session")
            for column, (label, default, key) in zip(columns, NUMBERS, strict=False)
        )
        device = columns[3].selectbox(
            "Device",
            list(DEVICES),
            format_func=DEVICES.__getitem__,
            key="device",
            persist_state="session",
            help="Automatic: CUDA if there is one, else the CPU.",
        )
        optimizers = st.pills(
            "Optimiser",
            list(OPTIMIZERS),
            selection_mode="multi",
            default=[PUBLISHED.optimizer],
            key="optimizer",
            format_func=OPTIMIZERS.__getitem__,
            persist_state="session",
        )
        st.caption(
            "The defaults are the published recipe: SGD, learning rate 0.1, batches of 32, 3 epochs. "
            "Several values, such as 0.01, 0.03, 0.1 for the learning rate, make a sweep: each combination is trained."
        )
    for chosen, what in ((models, "model"), (optimizers, "optimiser")):
        if not chosen:
            st.caption(f"Choose at least one {what}.")
            return None
    try:
        numbers = whole_numbers(epochs), whole_numbers(batches), decimals(rates)
        grid = Grid(models, range(seeds), *numbers, optimizers, dataset, device)
        first = grid.recipes()[0]
    except RecipeError as error:
        st.error(escape(str(error)))
        return None
    if not grid.is_sweep and first.group() != replace(PUBLISHED, model=first.model, dataset=dataset):
        st.caption(f":material/tune: Not the published recipe: {first.describe()}.")
    return grid


def show_grid(plan: Plan) -> None:
    """Each setting of a sweep, to look at before it starts."""
    expander = st.expander("The grid", icon=":material/grid_view:", key="grid", on_change="rerun")
    if not expander.open:  # Only then is it worked out.
        return
    table = plan.table()
    expander.dataframe(
        table,
        column_config={factor.field: factor.title for factor in FACTORS}
        | {
            "seeds": st.column_config.NumberColumn("Seeds"),
            "trained": st.column_config.NumberColumn("Trained already"),
            "seconds": st.column_config.NumberColumn("Expected", format="%.0f s"),
        },
        hide_index=True,
        key="grid-table",
        alt=f"The settings of the sweep: {plan.grid.describe()}",
    )
