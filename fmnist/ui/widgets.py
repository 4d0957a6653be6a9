"""The Streamlit pieces that several pages share."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.compare.comparison import Picture
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DEFAULT, SAMPLE, DatasetInfo
from fmnist.data.files import DataError, Dataset
from fmnist.export import csv_file
from fmnist.grid import Grid, as_text, decimals, spanning, whole_numbers
from fmnist.models import custom
from fmnist.predict.conversion import to_data_url
from fmnist.recipe import Recipe
from fmnist.store import store
from fmnist.store.library import SOURCES, Group, Library, default_groups
from fmnist.store.store import Store
from fmnist.training.estimate import duration as duration
from fmnist.ui.page import explained as explained
from fmnist.ui.page import page as page

TILE = 4  # A 28 x 28 image is sent four times as large, its pixels kept sharp.

PICTURE_FORMATS = {"png": "PNG", "svg": "SVG"}


def is_dark() -> bool:
    """Whether the viewer's browser shows the dark theme."""
    return st.context.theme.type == "dark"


def open_library() -> Library:
    """The user's runs and the reference runs, opened once for all sessions; and the user's own models, as they are now.

    Raises:
        StoreError: the store can't be used.
    """
    path = store.store_path()
    custom.refresh(path.parent, waiting=lambda: st.spinner("Trying your own models …"))
    identity = path.stat().st_ino if path.exists() else None  # A file that was replaced is opened again.
    return _open_library(path, identity)


@st.cache_resource(max_entries=2, show_spinner=False)
def _open_library(path: Path, identity: int | None) -> Library:
    return Library(Store(path))


def dataset(name: str, store: Store) -> Dataset:
    """A data set, read once for all sessions.

    Raises:
        DataError: as `files.load`.
    """
    return _dataset(name, store.data_root(name), store.path.parent)


@st.cache_resource(max_entries=2, show_spinner="Reading the images …")
def _dataset(name: str, root: Path, cache: Path) -> Dataset:
    return files.load(name, root, cache)


@st.cache_data(max_entries=2, show_spinner=False)
def mean_images(fingerprint: str, _images: Dataset) -> np.ndarray:
    """The mean training image of each class, uint8 (10, 28, 28); worked out once for all sessions."""
    means = [_images.train_images[_images.train_labels == label].mean(axis=0) for label in range(10)]
    return np.array(means).round().astype(np.uint8)


def choose_scope(library: Library, *, both: bool = False) -> tuple[str, tuple[str, ...]]:
    """Which data set and whose runs a page shows; asked only where there is a choice.

    Two data sets never stand in one picture.

    Args:
        both: whether own and reference runs can be shown together.

    Returns:
        The data set's name, and the sources.
    """
    finished = library.finished()
    datasets = [name for name in DATASETS if name in set(finished["dataset"])] or [DEFAULT]
    with st.container(horizontal=True, gap="medium"):
        dataset = datasets[0]
        if len(datasets) > 1:
            dataset = _choose_for_all_pages("Data", datasets, "data", lambda name: DATASETS[name].title)
        sources = [name for name in SOURCES if name in set(finished.loc[finished["dataset"] == dataset, "source"])]
        source = sources[0] if sources else "own"
        if len(sources) > 1:
            options = [*sources, "both"] if both else sources
            source = _choose_for_all_pages("Runs", options, "source", lambda name: SOURCES.get(name, "Both"))
    return dataset, tuple(SOURCES) if source == "both" else (source,)


def _choose_for_all_pages(label: str, options: Sequence[str], key: str, names: Callable[[str], str]) -> str:
    """A choice that holds on the next page too, and stands in the address of each."""
    kept = st.session_state.get(key, st.session_state.get(f"chosen-{key}"))
    if kept is not None and st.query_params.get(key) not in [names(option) for option in options]:
        st.session_state[key] = kept if kept in options else options[0]  # Not every page has every option.
    chosen = st.segmented_control(
        label,
        options,
        format_func=names,
        # As a default, what was chosen before would not be put into the address.
        default=None if key in st.session_state else options[0],
        required=True,
        wrap=True,
        key=key,
        bind="query-params",
    )
    assert chosen is not None, "it is required"
    st.session_state[f"chosen-{key}"] = chosen
    return chosen


def say_where_from(dataset: str, groups: Sequence[Group]) -> None:
    """Mark what is not the user's own result on FashionMNIST."""
    if dataset == SAMPLE:
        st.warning(
            "**This is not FashionMNIST** but generated sample data: these figures say nothing about the real images.",
            icon=":material/science:",
        )
    reference = next((group for group in groups if group.source == "reference"), None)
    if reference:
        run = reference.runs[0]
        st.caption(
            f":material/bookmark: **Reference runs** come with the project: trained with {reference.recipe.describe()} "
            f"on {run.machine} (PyTorch {run.versions.get('torch', '?')})."
        )


def nothing_trained() -> None:
    st.info("Nothing is trained yet on these data.", icon=":material/info:")
    if not settings.read_only():
        st.page_link("pages/1_Train.py", label="Train the three models", icon=":material/play_circle:")


def key_of_groups(groups: Sequence[Group]) -> str:
    """Of the widget that chooses from these groups."""
    return f"groups-{groups[0].recipe.dataset}-{groups[0].source}"


def choose_groups(groups: list[Group], most: int) -> list[Group]:
    """The groups to be compared; at first one for each model."""
    if not groups:
        nothing_trained()
        return []
    known = {group.id: group for group in groups}
    chosen = st.multiselect(
        "Compared",
        list(known),
        default=[group.id for group in default_groups(groups)][:most],
        max_selections=most,
        format_func=lambda id: known[id].title,
        key=key_of_groups(groups),
        bind="query-params",
        placeholder="Choose what to compare",
    )
    if not chosen:
        st.info("Choose at least one to see its results.", icon=":material/balance:")
    return [known[id] for id in chosen]


def chart_config(name: str) -> dict[str, Any]:
    """How a chart behaves; its camera saves it, in the browser, under this name."""
    form = st.session_state.get("picture-format", "png")
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        "toImageButtonOptions": {"format": form, "filename": name, "scale": 2},
    }


def picture_config(name: str) -> dict[str, Any]:
    """The same for a chart that is not zoomed: only the camera."""
    return chart_config(name) | {"modeBarButtons": [["toImage"]]}


def draw(picture: Picture, key: str) -> None:
    """A chart with its text alternative."""
    st.plotly_chart(picture.figure, key=key, config=chart_config(key), alt=picture.alt)


def choose_picture_format() -> None:
    """As what the cameras of all charts save them."""
    st.segmented_control(
        "The camera on a chart saves it as",
        list(PICTURE_FORMATS),
        format_func=PICTURE_FORMATS.__getitem__,
        default="png",
        required=True,
        key="picture-format",
        persist_state="session",
    )


def download_table(name: str, table: pd.DataFrame, label: str = "Download as CSV") -> None:
    """A button for a table as a CSV file."""
    st.download_button(
        label,
        csv_file.as_file(table),
        f"{name}.csv",
        "text/csv",
        icon=":material/table:",
        on_click="ignore",
        key=f"download-{name}-{label}",
    )


def image_tiles(images: np.ndarray, captions: Sequence[str], layout: str = "") -> None:
    """Images with captions, side by side, wrapping at the page's width.

    Args:
        images: uint8 (N, 28, 28).
        captions: plain text, one each; lines are separated by newlines.
        layout: "" for readable captions, "small" for many images, "ten" for one of each class.
    """
    figures = []
    for image, caption in zip(images, captions, strict=True):
        lines = html.escape(caption).replace("\n", "<br>")
        text = html.escape(caption.replace("\n", ", "), quote=True)
        figures.append(
            f'<figure><img src="{to_data_url(image, TILE)}" alt="{text}"><figcaption>{lines}</figcaption></figure>'
        )
    st.html(f'<div class="tiles {layout}">{"".join(figures)}</div>')


# --- Words ---


MAX_SEEDS = 20
ASKED = ("models", "dataset", "seeds", "epochs", "rate", "batch", "optimizer")
"""What an address of Train can fill in: keys of its widgets. All but data and seeds may be lists."""


def link_to_train(label: str, recipes: Sequence[Recipe], seeds: int) -> None:
    """A link to the Train page with the grid filled in that holds these recipes, and so many seeds; none where it has
    no form."""
    if settings.read_only():
        return
    grid = spanning(recipes, seeds)
    models, optimizers = ",".join(sorted(grid.models)), ",".join(grid.optimizers)
    numbers = as_text(grid.epochs), as_text(grid.learning_rates), as_text(grid.batch_sizes)
    values = (models, grid.dataset, str(seeds), *numbers, optimizers)
    st.page_link(
        "pages/1_Train.py",
        label=label,
        icon=":material/play_arrow:",
        query_params=dict(zip(ASKED, values, strict=True)),
    )


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


def listed(names: Iterable[str]) -> str:
    """ "a, b and c"."""
    names = list(names)
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def escape(text: str) -> str:
    """Text of unknown origin, to stand in Markdown as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-!|~$:" else sign for sign in text)


def spread(group: pd.Series) -> str:
    """How a group's seeds differ: "76.2 to 83.8%, σ 3.1 (5 seeds)"."""
    if len(group["seeds"]) < 2:
        return "one seed"
    low, high, deviation = (100 * group[f"accuracy_{name}"] for name in ("min", "max", "std"))
    return f"{low:.1f} to {high:.1f}%, σ {deviation:.1f} ({len(group['seeds'])} seeds)"


# --- Where there are no data ---


@dataclass
class Download:
    """A download that runs beside the pages, seen by all sessions."""

    process: BackgroundProcess | None = None
    message: str = ""
    root: Path = field(default_factory=Path)


@st.cache_resource
def _download(name: str) -> Download:
    return Download()


def offer_data(store: Store, name: str, missing: DataError) -> None:
    """What to do where a data set is not at hand: download it, or name a folder."""
    info = DATASETS[name]
    st.info(str(missing), icon=":material/folder_off:")
    if settings.read_only():
        st.caption("This dashboard is read-only: whoever runs it can put the data there.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        size = f"{info.download_bytes / 1e6:.0f} MB"
        st.markdown(f"**Download it** from where its authors publish it ({size}, checked by its sums).")
        _download_panel(info, store.data_root(name))
    with right:
        st.markdown(f"**Or name a folder** that holds `{info.torchvision}/raw/`. It is only read.")
        if settings.named_data_root():
            st.caption("FMNIST_DATA names the folder here; start the dashboard without it to choose one on this page.")
        else:
            with st.form("folder", border=False):
                folder = st.text_input("Folder on the dashboard's machine", max_chars=500)
                if st.form_submit_button("Use this folder") and folder:
                    _use_folder(store, name, folder)


def _use_folder(store: Store, name: str, folder: str) -> None:
    try:
        root = files.data_root(folder)
        files.load(name, root, store.path.parent)
    except (DataError, ValueError) as error:
        st.error(str(error) if isinstance(error, DataError) else "That is not the name of a folder.")
        return
    store.choose_data_root(name, root)
    st.rerun()


def _download_panel(info: DatasetInfo, root: Path) -> None:
    download = _download(info.id)
    running = download.process is not None and download.process.exit_code is None
    if download.process is not None and not running:
        ended, download.process = download.process, None
        if not ended.exit_code:
            st.rerun()
        download.message = ended.fault("The download broke off: try it again.")
    if download.message:
        st.error(download.message, icon=":material/cloud_off:")
    if running:
        st.fragment(_download_progress, run_every=0.5)(info, download)
    elif st.button(f"Download {info.title}", icon=":material/download:", type="primary"):
        download.message, download.root = "", root
        download.process = BackgroundProcess(
            *settings.module("fmnist"), "data", "download", "--dataset", info.id, "--data", str(root)
        )
        st.rerun()


def _download_progress(info: DatasetInfo, download: Download) -> None:
    if download.process is None or download.process.exit_code is not None:
        st.rerun()
    arrived = min(files.downloaded(info.id, download.root), info.download_bytes)
    st.progress(arrived / info.download_bytes, f"{arrived / 1e6:.0f} of {info.download_bytes / 1e6:.0f} MB")
