"""What `custom_check` has said of files with custom models, kept beside the store for other processes."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmnist.models.registry import ModelError
from fmnist.models.source import Source

CHECK_VERSION = 6
"""Raise it when a model has to do more, or other things are said of it."""
MAX_KEPT = 50
FAULTY_SECONDS = 60.0
"""How long another process believes that a file is faulty: the fault may be a package that is installed meanwhile."""

Answer = dict[str, Any]
"""A line of `custom_check`'s output, of a model or of a whole file."""


def is_faulty(answers: Sequence[Answer]) -> bool:
    """Whether anything is wrong with a file or its models."""
    return any("fault" in answer for answer in answers)


def checksum(source: Source) -> str:
    """Of all that decides what is said of a file."""
    parts = [str(CHECK_VERSION), sys.version, version("torch"), *asdict(source).values()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _file(cache: Path) -> Path:
    return cache / "custom-models.json"


def _kept(cache: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(_file(cache).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def read(cache: Path, whatever_age: bool) -> dict[str, list[Answer]]:
    """What was kept, by `checksum`, as far as it can be believed.

    Args:
        cache: the folder of the store.
        whatever_age: believe also for longer than `FAULTY_SECONDS` that a file is faulty.
    """
    found = {}
    for sum_, entry in _kept(cache).items():
        with suppress(KeyError, TypeError, ModelError):
            answers = [_checked(answer) for answer in entry["answers"]]
            if whatever_age or not is_faulty(answers) or 0 <= time.time() - entry["at"] < FAULTY_SECONDS:
                found[sum_] = answers
    return found


def _checked(answer: Answer) -> Answer:
    """An answer with the fields that it must have, and no others.

    Raises:
        KeyError, TypeError: one is missing, or not what it should be.
    """
    fields: dict[str, type]
    if "fault" in answer:
        fields = {"fault": str, "id": str, "name": str} if "id" in answer else {"fault": str}
    else:
        fields = {"id": str, "name": str, "layers": str, "color": str, "symbol": str}
        fields |= {
            "channels_last": bool,
            "parts": int,
            "modules": list,
            "rectified": bool,
            "compiled": bool,
            "remark": str,
        }
    for name, kind in fields.items():
        if not isinstance(answer[name], kind):
            raise TypeError(name)
    for module in answer.get("modules", ()):
        if not (isinstance(module, list) and len(module) == 2 and all(isinstance(word, str) for word in module)):
            raise TypeError("modules")
    return {name: answer[name] for name in fields}


def keep(cache: Path, said: Mapping[Source, list[Answer]]) -> None:
    """Keep what was said of files. Where nothing can be written each process tries them itself."""
    new = {checksum(source): {"at": time.time(), "answers": answers} for source, answers in said.items()}
    entries = list((_kept(cache) | new).items())[-MAX_KEPT:]
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache, prefix="custom-models-", delete=False) as file:
            json.dump(dict(entries), file)
        Path(file.name).replace(_file(cache))
