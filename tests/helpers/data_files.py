"""Files of data sets, as torchvision and the program leave them, with small data in them."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmnist import settings
from fmnist.data import sample
from fmnist.data.catalog import DATASETS, DatasetInfo
from fmnist.data.files import Dataset, raw_folder


def publish(name: str, dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """Put data into a data root as the packed files of a data set; what the program then knows of them."""
    info = DATASETS[name]
    folder = raw_folder(name, root)
    folder.mkdir(parents=True)
    files = []
    for file, array in zip(info.files, _bytes_of(dataset).values(), strict=True):
        kind = 8
        if file.name.endswith("labels-idx2-int"):  # QMNIST's: the class, and seven numbers more, of 32 bits.
            kind, array = 12, np.column_stack([array, np.tile(np.arange(10, 17), (len(array), 1))]).astype(">i4")
        content = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        packed = gzip.compress(content)
        (folder / f"{file.name}.gz").write_bytes(packed)
        md5 = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        files.append(replace(file, md5=md5, sha256=file.sha256 and hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(DATASETS, name, replace(info, files=tuple(files)))
    return DATASETS[name]


def tell_processes(
    infos: Iterable[DatasetInfo], folder: Path, monkeypatch: pytest.MonkeyPatch, download: str = ""
) -> None:
    """Have the processes that are started from here on - trainers, workers, servers - know data sets as we do.

    Args:
        download: a script in place of the one that downloads.

    Python runs a file called sitecustomize.py when it starts.
    """
    folder.mkdir(parents=True)
    lines = ["from dataclasses import replace", "from fmnist.data.catalog import DATASETS, File"]
    lines += [f"DATASETS[{info.id!r}] = replace(DATASETS[{info.id!r}], files={info.files})" for info in infos]
    if download:
        lines += ["from fmnist.data import files", f"files._TORCHVISION = {download!r}"]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(settings.PROJECT)]))


def keep_as_sample(dataset: Dataset, folder: Path) -> None:
    """Put data where the program keeps its generated sample data."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"sample-{sample.VERSION}.npz", **_bytes_of(dataset))


def unpack_all(root: Path) -> None:
    """Replace the packed files of a data root by what is in them."""
    for path in root.glob("*/raw/*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def _bytes_of(dataset: Dataset) -> dict[str, np.ndarray]:
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return {name: getattr(dataset, name).astype(np.uint8) for name in names}
