"""What all sessions share: the store, the data sets, and what is worked out from them once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from fmnist import settings
from fmnist.data import files
from fmnist.data.files import Dataset, TestSet
from fmnist.models import custom
from fmnist.predict import recount
from fmnist.store import store
from fmnist.store.library import Library
from fmnist.store.store import Store, StoreError
from fmnist.training import launcher
from fmnist.words import reason


def open_library() -> Library:
    """The user's runs and the reference runs, opened once for all sessions; and the custom models, as they are now.

    Raises:
        StoreError: the store can't be used.
    """
    path = store.store_path()
    custom.refresh(path.parent, waiting=lambda: st.spinner("Trying your custom models …"))
    identity = identity_of(path)
    if identity is None and path in _opened():
        raise StoreError(
            f"The store is gone: {path} was deleted or moved, or its drive is no longer there. Put it back, or restart "
            "the dashboard to start a new one."
        )
    if identity is None and not settings.read_only():
        Store(path).close()  # Made now, so that it is known by its file from the beginning.
        identity = identity_of(path)
    library = _open_library(path, identity)
    if identity is not None:  # A view-only dashboard may wait for a store that others will make.
        _opened().add(path)
    return library


def identity_of(path: Path) -> int | None:
    """The number of a file, by which one that was replaced is opened again; None where there is none.

    Raises:
        StoreError: it can't be found out.
    """
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {reason(error)}.") from None


@st.cache_resource(show_spinner=False)
def _opened() -> set[Path]:
    """The stores that were opened since the server began: none is made in the place of one that is gone."""
    return set()


@st.cache_resource(max_entries=2, show_spinner=False)
def _open_library(path: Path, identity: int | None) -> Library:
    own = Store(path)
    recount.start(own, launcher.log_path(path))
    return Library(own)


def dataset(name: str, store: Store) -> Dataset:
    """A whole data set, read once for all sessions.

    Raises:
        DataError: as `files.load`.
    """
    return _dataset(name, store.data_root(name), store.path.parent)


@st.cache_resource(max_entries=2, show_spinner="Reading the images …")
def _dataset(name: str, root: Path, cache: Path) -> Dataset:
    return files.load(name, root, cache)


def test_set(name: str, store: Store) -> TestSet:
    """The test images of a data set, of which less is needed to be there; read once for all sessions.

    Raises:
        DataError: as `files.load_test_set`.
    """
    return _test_set(name, store.data_root(name), store.path.parent)


@st.cache_resource(max_entries=2, show_spinner="Reading the images …")
def _test_set(name: str, root: Path, cache: Path) -> TestSet:
    return files.load_test_set(name, root, cache)


@st.cache_data(max_entries=4, show_spinner=False)
def mean_images(fingerprint: str, split: str, _images: np.ndarray, _labels: np.ndarray) -> np.ndarray:
    """The mean image of each class, uint8 (10, 28, 28); worked out once for all sessions.

    Args:
        fingerprint, split: of the data set, and which of its images these are: uint8 (N, 28, 28), with their labels.
    """
    means = [_images[_labels == label].mean(axis=0) for label in range(10)]
    return np.array(means).round().astype(np.uint8)
