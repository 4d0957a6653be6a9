"""What a package of this project needs, from the requirements files: they are the only list.

pip reads it when it builds the package (hatch.pypa.io, "Custom metadata hook").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

EXTRAS = ("export", "ray", "serve", "dev")
FOR_TESTS = ("pytest",)
"""What stands in requirements.txt, but only those need who test the project itself: the extra `dev` has it."""


class Requirements(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the dependencies and, by the name of an extra, the optional ones."""
        needed = _read(Path(self.root, "requirements.txt"))
        tests = [line for line in needed if line.startswith(FOR_TESTS)]
        metadata["dependencies"] = [line for line in needed if line not in tests]
        metadata["optional-dependencies"] = {
            extra: [line for line in _read(Path(self.root, f"requirements-{extra}.txt")) if line not in needed]
            for extra in EXTRAS
        }
        metadata["optional-dependencies"]["dev"] += tests


def _read(path: Path) -> list[str]:
    """The requirements of a file, and of those that it includes with -r; comments are left out."""
    found: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        requirement = line.partition(" #")[0].strip()
        if requirement.startswith("-r "):
            found += _read(path.with_name(requirement.removeprefix("-r ").strip()))
        elif requirement and not requirement.startswith("#"):
            found.append(requirement)
    return list(dict.fromkeys(found))
