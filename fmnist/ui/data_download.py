"""What stands where a data set is not at hand: it is downloaded, or a folder is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread

import streamlit as st

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.data.files import DataError, DataMissing
from fmnist.data.folders import RAW
from fmnist.grid import Grid
from fmnist.models.registry import ModelError
from fmnist.recipe import RecipeError
from fmnist.settings import SettingsError
from fmnist.store.store import Store, StoreError
from fmnist.words import escape, reason

CHECK_SECONDS = 60.0
REFUSED = (DataError, StoreError, ModelError, RecipeError, SettingsError, OSError)
"""What can't be done when the data are there. The message is a sentence for the user."""


@dataclass
class Download:
    """A download that runs beside the pages, seen by all sessions, and what is to be trained when it has ended.

    A thread of the server waits for it, so that what was asked for is done whatever page its asker looks at by then.
    """

    info: DatasetInfo
    root: Path  # the data root into which the data come
    fault: str = ""
    """Why the last download failed, in a sentence."""
    refused: str = ""
    """Why something was not trained after it, in a sentence."""
    orders: dict[Grid, Callable[[], object]] = field(default_factory=dict)
    """What is done when the data are there, by what it trains. Without Streamlit: no session belongs to the thread."""
    _running: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def running(self) -> bool:
        """Whether it is going on, or what was asked for is being queued."""
        return self._running

    @property
    def arrived(self) -> int:
        """Bytes that have been fetched so far, at most `info.download_bytes`."""
        return min(files.downloaded(self.info.id, self.root), self.info.download_bytes)

    def start(self) -> None:
        """Begin; nothing if it is going on already."""
        with self._lock:
            if self._running:
                return
            self.fault = self.refused = ""
            command = ("data", "download", "--dataset", self.info.id, "--data", str(self.root))
            try:
                process = BackgroundProcess(*settings.module("fmnist"), *command)
            except OSError as error:
                self.fault = f"No process can be started for the download ({reason(error)}): try again."
                return
            self._running = True
        Thread(target=self._wait_for, args=(process,), daemon=True).start()

    def then(self, grid: Grid, order: Callable[[], object]) -> None:
        """Do something when the data are there; nothing where no download goes on."""
        with self._lock:
            if self._running:
                self.orders.setdefault(grid, order)

    def _wait_for(self, process: BackgroundProcess) -> None:
        while process.wait(CHECK_SECONDS) is None:
            pass
        with self._lock:
            try:
                if process.exit_code:
                    self.fault = process.fault("The download was interrupted: try again.")
                else:
                    self._fulfil()
            finally:
                self.orders.clear()
                self._running = False

    def _fulfil(self) -> None:
        for order in self.orders.values():
            try:
                order()
            except REFUSED as error:  # Also of a recipe whose custom model is another one by now.
                self.refused = str(error)


def download_of(store: Store, name: str) -> Download:
    """The one download of a data set that all sessions share."""
    return _download(name, store.data_root(name))


@st.cache_resource(show_spinner=False)
def _download(name: str, root: Path) -> Download:
    return Download(DATASETS[name], root)


def offer_data(store: Store, name: str, missing: DataError, why: str = "") -> None:
    """What to do where a data set is not at hand: download it, or name a folder.

    Args:
        missing: what is wrong.
        why: what is said of it instead, where the data are just not there: what they are needed for.
    """
    download = download_of(store, name)
    if why and isinstance(missing, DataMissing):
        st.info(why, icon=":material/cloud_download:")
    else:
        st.info(escape(str(missing)), icon=":material/folder_off:")
    if settings.read_only():
        st.caption("This dashboard is view-only: whoever runs it can add the data.")
        return
    show_fault(download)
    if download.running:
        show_progress(download)
    elif st.button(f"Download {download.info.title}", icon=":material/download:", type="primary"):
        download.start()
        st.rerun()
    st.caption(f"{download.info.download_size}. {say_where(download)}")
    ask_folder(store, name)


def show_fault(download: Download) -> None:
    """Why the last download failed, if it did."""
    if download.fault and not download.running:
        st.error(escape(download.fault), icon=":material/cloud_off:")


def say_where(download: Download) -> str:
    """Where a download comes from, and where it goes; in a sentence."""
    folder = download.root / download.info.torchvision / RAW
    return f"The files come from the authors' server, are verified by checksum, and are kept in {escape(str(folder))}."


def ask_folder(store: Store, name: str) -> None:
    """A form to name the folder in which the files are already."""
    with st.expander("I already have the files", icon=":material/folder_open:"):
        if settings.named_data_root():
            st.caption("The folder is set by FMNIST_DATA: start the dashboard without it to choose one here.")
            return
        with st.form("folder", border=False):
            folder = st.text_input("Folder on the dashboard's machine", max_chars=500)
            place = f"`{DATASETS[name].torchvision}/raw/`"
            st.caption(f"The folder that contains {place}, or the files themselves. Nothing is written to it.")
            if st.form_submit_button("Use this folder") and folder:
                _use_folder(store, name, folder)


def _use_folder(store: Store, name: str, folder: str) -> None:
    try:
        root = files.data_root(folder)
        files.load(name, root, store.path.parent)
    except (DataError, settings.SettingsError, ValueError) as error:
        known = isinstance(error, DataError | settings.SettingsError)
        st.error(escape(str(error)) if known else "This is not the path of a folder.")
        return
    store.choose_data_root(name, root)
    st.rerun()


def show_progress(download: Download) -> None:
    """How far a download is; the page is drawn anew when it has ended."""
    st.fragment(_show_progress, run_every=0.5)(download)


def _show_progress(download: Download) -> None:
    if not download.running:
        st.rerun()
    info, arrived = download.info, download.arrived
    runs = sum(grid.count for grid in list(download.orders))
    then = f", then {runs:,} {'run' if runs == 1 else 'runs'} will be trained" if runs else ""
    text = f"Downloading {info.title}: {arrived / 1e6:.0f} of {info.download_size}{then}"
    st.progress(arrived / info.download_bytes, text)
