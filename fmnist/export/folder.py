"""Files that are complete or not there at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist.export import ExportError
from fmnist.words import reason


def fill(folder: Path, write: Callable[[Path], list[str]], *, replace: bool) -> tuple[list[Path], list[str]]:
    """Let `write` fill an empty folder, and move what it made to its place once all of it is there.

    Args:
        folder: made if it is not there. What else is in it is left alone.
        write: takes the folder to be filled; what it returns is handed on.
        replace: files of the same names may be there, and are replaced.

    Returns:
        The files, and what `write` returned.

    Raises:
        ExportError: a file is there already, or can't be written.
    """
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, on the same file system: a file is moved in one step.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary) / "files"
            made.mkdir()
            remarks = write(made)
            names = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
            _check_place(folder, names, replace)
            if not folder.exists():
                made.rename(folder)
            for name in names if made.exists() else []:
                (made / name).replace(folder / name)
    return [folder / name for name in names], remarks


def _check_place(folder: Path, names: list[Path], replace: bool) -> None:
    """See that files can be moved into a folder, before the first of them is; make the folders below it.

    Raises:
        ExportError: something is in the way of one.
    """
    there = [folder / name for name in names if os.path.lexists(folder / name)]
    if there and not replace:
        raise ExportError(f"{there[0]} exists already: choose another place with --out, or replace it with --force.")
    for path in (folder / name for name in names if folder.exists()):
        if path.is_dir():
            raise ExportError(f"{path} is a folder, in the place of a file: choose another place with --out.")
        with _explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)


def write_file(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file beside its place, and move it there once it is complete: what was there is kept until then.

    Raises:
        ExportError: it is there already and is not to be replaced, or can't be written.
    """
    with _explained(path):
        if path.is_dir():
            raise ExportError(f"{path} is a folder: name a file.")
        if not replace and os.path.lexists(path):
            raise ExportError(f"{path} exists already: choose another name, or replace it with --force.")
        path = Path(os.path.realpath(path))  # A link stays one.
        with tempfile.TemporaryDirectory(prefix=".fmnist-", dir=path.parent, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary) / path.name
            made.write_bytes(content)
            made.replace(path)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(f"{folder} can't be written: {reason(error)}.") from None
