"""What happens when somebody presses Train: at once, or when the data have been downloaded."""

from __future__ import annotations

import streamlit as st

from fmnist import settings
from fmnist.data import files
from fmnist.data.catalog import DATASETS, SAMPLE
from fmnist.data.files import DataError, DataMissing
from fmnist.grid import Grid
from fmnist.settings import Asker, SettingsError
from fmnist.store.library import Library
from fmnist.store.queue import TooManyRuns
from fmnist.training import launcher
from fmnist.training.dry_run import Plan
from fmnist.training.estimate import duration, estimate_seconds
from fmnist.ui import data_download, login, resources
from fmnist.ui.data_download import Download
from fmnist.ui.into_view import ask_for
from fmnist.words import escape

TRAINING = "training"
"""The key of the container in which the page shows what is being trained."""
FULL = "You have reached your limit of runs queued or running: wait for one to finish."


def train(library: Library, plan: Plan) -> None:
    """Queue what the plan still needs, and see that somebody trains it."""
    try:
        queued = queue(library, plan, settings.ray_address(), login.asker())
    except TooManyRuns as error:
        st.warning(escape(str(error)), icon=":material/front_hand:")
        return
    st.session_state["asked"] = [id for id, _ in queued]
    if any(needed for _, needed in queued):
        st.session_state["pressed"] = True
        ask_for(TRAINING)
        st.rerun()
    st.success("Everything here is already trained: Dashboard, Compare and Confusion show it.", icon=":material/bolt:")


def queue(library: Library, plan: Plan, cluster: str | None, asker: Asker | None) -> list[tuple[int, bool]]:
    """Put what the plan needs into the queue, and see that somebody trains it. Without Streamlit.

    Returns:
        As `Store.enqueue`.

    Raises:
        TooManyRuns: more than one may have.
    """
    launcher.recover(library.own)  # What a scheduler that is gone has left behind is taken up.
    root = library.own.data_root(plan.grid.dataset)
    queued = library.own.enqueue(plan.keyed, root, again=plan.again, cluster=cluster, asker=asker, earlier=plan.earlier)
    if any(needed for _, needed in queued):
        launcher.start(library.own)
    return queued


def is_full(library: Library) -> bool:
    """Whether whoever looks has as many runs in the queue as they may have. A limit that can't be read is none here: it
    is said when something is asked for."""
    try:
        return library.own.is_full(login.asker())
    except SettingsError:
        return False


def ask_without_data(library: Library, dataset: str, grid: Grid | None, missing: DataError) -> None:
    """What stands in the place of Train's button where the data are not at hand: one that gets them first, and one that
    does with sample data.

    Args:
        grid: what to train; None where the form has nothing that can be trained.
    """
    download = data_download.download_of(library.own, dataset)
    if not isinstance(missing, DataMissing):
        st.warning(escape(str(missing)), icon=":material/folder_off:")
    data_download.show_fault(download)
    full = is_full(library)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if grid is None or grid not in download.orders:
            _offer_download(library, download, grid, full)
        on_sample = st.button(
            "Train on sample data now",
            icon=":material/science:",
            disabled=grid is None or full,
            key="train-on-sample",
            help="Computer-drawn clothes: nothing is downloaded.",
        )
    if on_sample and grid:
        sample = resources.dataset(SAMPLE, library.own)
        train(library, Plan(library, grid.on(SAMPLE), sample, slots(library), cluster=settings.ray_address()))
    if full:
        st.caption(FULL)
    if download.running:
        data_download.show_progress(download)
    st.caption(f"{_say(library, grid) if grid and not download.running else ''} {data_download.say_where(download)}")
    data_download.ask_folder(library.own, dataset)


def _offer_download(library: Library, download: Download, grid: Grid | None, full: bool) -> None:
    info = download.info
    label = f"Download {info.title} ({info.download_size}) and train"
    if download.running:
        label = f"Train when {info.title} has arrived"
    disabled = grid is None or full
    if st.button(label, type="primary", icon=":material/download:", disabled=disabled, key="download-and-train"):
        assert grid, "else the button is grey"
        cluster, asker = settings.ray_address(), login.asker()
        download.start()
        download.then(grid, lambda: _train_when_there(library, grid, cluster, asker))
        st.session_state["pressed"] = True
        st.rerun()


def _train_when_there(library: Library, grid: Grid, cluster: str | None, asker: Asker | None) -> None:
    """Queue a grid whose data have just arrived. Without Streamlit: nobody may be looking.

    Raises:
        DataError: they are not there all the same.
        TooManyRuns: as `queue`.
    """
    own = library.own
    data = files.load(grid.dataset, own.data_root(grid.dataset), own.path.parent)
    queue(library, Plan(library, grid, data, launcher.slots_of(own, cluster), cluster=cluster), cluster, asker)


def slots(library: Library) -> int:
    """How many runs are trained side by side, here or on the cluster."""
    return launcher.slots_of(library.own, settings.ray_address())


def _say(library: Library, grid: Grid) -> str:
    """What will be trained after the download, and how long that takes."""
    seconds = estimate_seconds(library, grid.recipes(), DATASETS[grid.dataset].train, slots(library))
    time = "" if seconds is None else f", roughly {duration(seconds)}"
    count = f"{grid.count:,} {'run' if grid.count == 1 else 'runs'}"
    return f"{grid.describe() if grid.is_sweep else count}{time}. Training starts by itself after the download."
