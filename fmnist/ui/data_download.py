"""What stands where a data set is not at hand: it is downloaded, or a folder is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.data import files
from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.data.files import DataError
from fmnist.store.store import Store
from fmnist.words import escape


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
    st.info(escape(str(missing)), icon=":material/folder_off:")
    if settings.read_only():
        st.caption("This dashboard is read-only: whoever runs it can put the data there.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        size = f"{info.download_bytes / 1e6:.0f} MB"
        st.markdown(f"**Download it** from where its authors publish it ({size}, checked by its sums).")
        _download_panel(info, store.data_root(name))
    with right:
        st.markdown(
            f"**Or name a folder** with its files, `{info.torchvision}/raw/` or what is above it. It is only read."
        )
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
    except (DataError, settings.SettingsError, ValueError) as error:
        known = isinstance(error, DataError | settings.SettingsError)
        st.error(escape(str(error)) if known else "That is not the name of a folder.")
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
        st.error(escape(download.message), icon=":material/cloud_off:")
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
