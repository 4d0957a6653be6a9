"""Files that are exported: complete or not there at all, and none is lost that lay in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmnist.export import ExportError
from fmnist.export.folder import fill


def write(folder: Path) -> list[str]:
    """What an export makes: a file, and one in a folder."""
    (folder / "a.txt").write_text("new")
    (folder / "below").mkdir()
    (folder / "below" / "b.txt").write_text("new")
    return []


def contents(folder: Path) -> dict[str, str]:
    """All that lies in a folder: files with their text, links with what they name."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a file of the user's."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    return folder


def test_what_else_lies_there_is_left_alone(place):
    files, _ = fill(place, write, replace=False)
    assert files == [place / "a.txt", place / "below" / "b.txt"]
    assert contents(place) == {"mine.txt": "mine", "a.txt": "new", "below/b.txt": "new"}


@pytest.mark.parametrize("target", ["mine.txt", "nowhere.txt"])
def test_a_link_is_not_replaced_unless_told_and_what_it_names_never_is(target, place):
    (place / "a.txt").symlink_to(target)
    before = contents(place)
    with pytest.raises(ExportError, match=r"a\.txt exists already"):
        fill(place, write, replace=False)
    assert contents(place) == before
    fill(place, write, replace=True)
    assert contents(place) == {"mine.txt": "mine", "a.txt": "new", "below/b.txt": "new"}


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("in_the_way", ["a folder", "a file for a folder"])
def test_what_is_in_the_way_is_named_and_nothing_is_written(in_the_way, replace, place):
    if in_the_way == "a folder":
        (place / "below" / "b.txt").mkdir(parents=True)
        (place / "below" / "b.txt" / "kept.txt").write_text("kept")
    else:
        (place / "below").write_text("kept")
    before = contents(place)
    with pytest.raises(ExportError, match="below"):
        fill(place, write, replace=replace)
    assert contents(place) == before
    assert sorted(path.name for path in place.parent.iterdir()) == ["place"]
