"""Where the files of a data set lie, however its folder was named. No NumPy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fmnist.data.catalog import DATASETS, DatasetInfo, File

RAW = "raw"


def raw_folder(name: str, root: Path) -> Path:
    """The folder with the four files of a data set.

    torchvision keeps them in `<root>/FashionMNIST/raw`. They are found as well where the data root was named one level
    too deep or too high, or where they lie in a folder just so.

    Returns:
        The first folder in which any of them is; torchvision's own where there is none.

    Raises:
        OSError: a folder may not be entered, or can't have this name.
    """
    info = DATASETS[name]
    usual = root / info.torchvision / RAW
    for folder in (usual, *_named_otherwise(info, root)):
        if any(form.exists() for file in info.files for form in (folder / file.name, packed(folder, file))):
            return folder
    loose = (root, root / RAW, root / info.torchvision)
    return next((folder for folder in loose if _is_its(info, folder)), usual)


def packed(folder: Path, file: File) -> Path:
    """A file as it is published."""
    return folder / f"{file.name}.gz"


def forms(folder: Path, file: File) -> tuple[Path, ...]:
    """The forms of a file that can be checked: as it is downloaded, and before that, for it is faster to read, as
    torchvision leaves it after unpacking, where the sum of that is known."""
    return (folder / file.name, packed(folder, file)) if file.sha256 else (packed(folder, file),)


def _named_otherwise(info: DatasetInfo, root: Path) -> Iterator[Path]:
    """torchvision's folder where the data root was named `.../FashionMNIST`, `.../FashionMNIST/raw`, or the folder that
    it is in; also by the folder of another data set beside it."""
    above = root.parent if root.name == RAW else root
    if above.name in {other.torchvision for other in DATASETS.values() if other.torchvision}:
        yield above.parent / info.torchvision / RAW
    yield from sorted(root.glob(f"[!.]*/{info.torchvision}/{RAW}"))


def _is_its(info: DatasetInfo, folder: Path) -> bool:
    """Whether files that lie in a folder just so are of this data set: others have the same names. The smallest tells,
    the test labels."""
    file = info.files[-1]
    for form in forms(folder, file):
        if form.is_file():
            content = form.read_bytes()
            if form.suffix == ".gz":
                return hashlib.md5(content, usedforsecurity=False).hexdigest() == file.md5
            return hashlib.sha256(content).hexdigest() == file.sha256
    return False
