"""The form of the Train page: models, data and recipe, what that will take, and the button."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError
from fmnist.grid import AUTOMATIC, FACTORS, MAX_HELD_OUT, Grid
from fmnist.models import custom
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import DEVICES, KEPT, MAX_SHIFT, OPTIMIZERS, SCHEDULES, RecipeError
from fmnist.store.library import Library
from fmnist.training.dry_run import Plan, in_words
from fmnist.ui import data_download, resources, train_presets, train_start
from fmnist.ui.train_link import LISTS, MAX_SEEDS, grid_of_form, published, settle_form
from fmnist.words import escape

LONGEST_LIST = 300  # characters
SETTINGS = {"Epochs": "epochs", "Learning rate": "rate", "Batch size": "batch"}
FURTHER = {
    "Held-out images": (
        "validation",
        "This many training images are held out, the same for every seed and model. Curves and remarks are about "
        f"these, and the test images are used only once, at the end. {AUTOMATIC}: {MAX_HELD_OUT:,} in a sweep (at "
        "most a sixth), to choose a setting by, and otherwise none.",
    ),
    "Weight decay": (
        "decay",
        "Draws weights toward zero, so that fewer are large. Needs Adam, which then trains as AdamW.",
    ),
    "Shift in pixels": ("shift", f"Moves each training image at random by up to so many pixels, {MAX_SHIFT} at most."),
}
CHOICES: dict[str, tuple[str, dict[str, str], str]] = {
    "Learning rate over time": ("schedule", SCHEDULES, "Cosine: it falls to zero by the last step."),
    "Mirroring": (
        "mirror",
        {"no": "No", "yes": "Yes"},
        "Mirrors each training image with a probability of 1/2, anew in each epoch.",
    ),
    "Epoch to keep": ("keep", KEPT, "The best can be chosen only where images are held out."),
}


def say_read_only() -> None:
    """What stands in the place of the form."""
    st.info(
        "**This dashboard is view-only.** Training appears here while it runs, and on the other pages when it has "
        "finished. It is started by whoever runs this dashboard, with "
        f"`{settings.command('train')}` or in another dashboard that uses the same results.",
        icon=":material/visibility:",
    )


def ask(library: Library) -> None:
    """The recipe, what it will take, and the button."""
    settle_form()
    train_presets.offer(library)
    ask_what()
    for fault in custom.faults():
        st.error(escape(fault.text), icon=":material/code_off:")
    for model in map(ARCHITECTURES.__getitem__, st.session_state["models"]):
        if model.remark:
            st.warning(escape(f"{model.name}: {model.remark}"), icon=":material/code:")
    grid, dataset = ask_recipe(), st.session_state["dataset"]
    try:
        images = resources.dataset(dataset, library.own)
    except DataError as error:
        train_start.ask_without_data(library, dataset, grid, error)
        return
    download = data_download.download_of(library.own, dataset)
    if download.refused:  # Once: who has asked for it looks here first.
        st.warning(escape(download.refused), icon=":material/front_hand:")
        download.refused = ""
    plan = Plan(library, grid, images, train_start.slots(library), cluster=settings.ray_address()) if grid else None
    full = plan is not None and bool(plan.todo) and train_start.is_full(library)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        pressed = st.button(
            "Train", type="primary", icon=":material/play_arrow:", disabled=not plan or full, key="train"
        )
        if plan and plan.trained and st.toggle("Retrain runs that already exist", key="again"):
            plan = replace(plan, again=True)
        if plan:
            st.caption(" ".join([plan.say(), *([] if plan.todo else ["See Compare."]), *([train_start.FULL] * full)]))
    if plan and plan.grid.is_sweep:
        show_grid(plan)
    if plan and pressed:
        train_start.train(library, plan)


def ask_what() -> None:
    """The models to train, how many times each, and on which data."""
    left, right = st.columns([3, 2], gap="medium")
    left.pills(
        "Models",
        list(ARCHITECTURES),
        selection_mode="multi",
        wrap=True,
        key="models",
        format_func=lambda id: ARCHITECTURES[id].full_name,
        persist_state="session",
    )
    with left.container(horizontal=True, vertical_alignment="center", gap="small", key="how-often"):
        st.number_input("Seeds", 1, MAX_SEEDS, key="seeds", persist_state="session", width=140)
        st.caption(
            "How many times to train each model, each time from different random starting weights and image order. "
            "One run proves little; five usually show which model is better.",
            width="stretch",
        )
    right.segmented_control(
        "Data",
        list(DATASETS),
        format_func=lambda name: DATASETS[name].title,
        required=True,
        wrap=True,
        key="dataset",
        persist_state="session",
        help="Sample data: computer-drawn clothes, for use without internet.",
    )


def ask_recipe() -> Grid | None:
    """What to train, all in all; None if something can't be used, which is said.

    The recipe is a line that opens: the inputs are below it.
    """
    fault, grid = "", None
    chosen = all(st.session_state[name] for name in LISTS)
    try:
        if chosen:
            grid = grid_of_form()
    except RecipeError as error:
        fault = str(error)
    line = ["**Recipe**"]
    if grid:
        line += [grid.in_words(), *(["the published recipe"] if grid.is_published else [])]
    with st.expander(" · ".join([*line, ":primary[Change]"]), icon=":material/tune:", key="recipe"):
        ask_settings()
    for name, what in LISTS.items():
        if not st.session_state[name]:
            st.caption(f"Choose at least one {what}.")
            break
    if fault:
        st.error(escape(fault))
    return grid


def ask_settings() -> None:
    """The inputs of a recipe; a list in one of them makes a sweep."""
    columns = st.columns(4)
    for column, (label, key) in zip(columns, SETTINGS.items(), strict=False):
        column.text_input(label, max_chars=LONGEST_LIST, key=key, persist_state="session")
    columns[3].selectbox(
        "Device",
        list(DEVICES),
        format_func=DEVICES.__getitem__,
        key="device",
        persist_state="session",
        help="Automatic: a CUDA GPU if there is one, otherwise the CPU.",
    )
    st.pills(
        "Optimiser",
        list(OPTIMIZERS),
        selection_mode="multi",
        key="optimizer",
        format_func=OPTIMIZERS.__getitem__,
        persist_state="session",
    )
    _ask_further()
    st.caption(
        f"The published recipe (mrdbourke/pytorch-deep-learning, chapter 03): {published(seeds=1).in_words()}. "
        "Several values, such as 0.01, 0.03, 0.1 for the learning rate, make a sweep: each combination is trained."
    )


def _ask_further() -> None:
    """What the published recipe does without."""
    for column, (label, (key, help)) in zip(st.columns(3), FURTHER.items(), strict=True):
        column.text_input(label, max_chars=LONGEST_LIST, key=key, help=help, persist_state="session")
    for column, (label, (key, titles, help)) in zip(st.columns(3), CHOICES.items(), strict=True):
        column.pills(
            label,
            list(titles),
            selection_mode="multi",
            key=key,
            format_func=titles.__getitem__,
            help=help,
            persist_state="session",
        )


def show_grid(plan: Plan) -> None:
    """Each setting of a sweep, to look at before it starts."""
    expander = st.expander("See every combination", icon=":material/grid_view:", key="grid", on_change="rerun")
    if not expander.open:  # Only then is it worked out.
        return
    expander.dataframe(
        in_words(plan.table()),
        column_config={factor.field: factor.title for factor in FACTORS}
        | {
            "seeds": st.column_config.NumberColumn("Seeds"),
            "trained": st.column_config.NumberColumn("Already trained"),
            "seconds": st.column_config.NumberColumn("Expected", format="%.0f s"),
        },
        hide_index=True,
        key="grid-table",
        alt=f"The settings of the sweep: {plan.grid.describe()}",
    )
