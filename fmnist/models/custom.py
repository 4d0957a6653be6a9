"""Custom models: finds the user's files, has them tried, and puts the good models among the others. No torch.

They stand in files that the environment names (`FMNIST_MODELS`, several as in PATH) and in modules that installed
packages name as entry points (group `fmnist.models`). Nothing else ever names a file that is executed, no page and no
store.

A file is first executed in `fmnist.models.custom_check`, a process of its own with a time limit, which says of each
model how it is shown or what is wrong with it. What it says is kept, so this happens once for each change of a file.
Then it is only executed where a model is trained or asked, from the very text that was tried (`CustomBuild`), which
goes to workers with their orders. A model's id has the version of its code in it: an edited model is another model to
recipes, keys and queue, so what was asked for is what is trained, and old and new results are never taken for the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fmnist import settings
from fmnist.background import BackgroundProcess
from fmnist.models import custom_answers
from fmnist.models.custom_answers import Answer
from fmnist.models.registry import ARCHITECTURES, Architecture, ModelError, in_short, registering
from fmnist.models.source import Source
from fmnist.words import reason

if TYPE_CHECKING:
    from torch import nn

GROUP = "fmnist.models"
CHECK_SECONDS = 60.0
"""For a file, and after a model that hangs for those that follow: importing torch takes two seconds, or ten."""
MAX_HANGS = 3
"""Of a file: after so many models that hang, those that follow are not tried."""
MAX_BYTES = 10**6

LOOKS = (
    *(("#EE3377", "triangle-up"), ("#AA4499", "cross"), ("#999933", "x"), ("#33BBEE", "star")),
    *(("#CC3311", "triangle-down"), ("#997700", "hexagon"), ("#CC6677", "pentagon"), ("#228833", "hourglass")),
)
"""Colours and markers for models that name none: of Tol's schemes, and other than those of the project's models."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a model, or with a whole file."""

    source: str  # the file's name
    sentence: str
    id: str | None = None  # of the model; None for the file
    name: str | None = None

    @property
    def text(self) -> str:
        """For people, whoever asks."""
        return f"{self.name} ({self.source}): {self.sentence}" if self.name else self.sentence


_lock = threading.Lock()
_seen: dict[str, tuple[tuple[int, int], Source]] = {}  # By path: when it was changed, and what was read then.
_answers: dict[Source, list[Answer]] = {}
_faults: list[Fault] = []


def faults() -> list[Fault]:
    """What is wrong with the custom models, as they were when they were last looked at."""
    return _faults


def refresh(
    cache: Path,
    *,
    keep_former: bool = False,
    trying: bool = True,
    waiting: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> None:
    """Bring `ARCHITECTURES` and `faults` up to date with the user's files: a look at their times, if none has changed.

    Args:
        cache: the folder of the store, where it is kept what was said of files.
        keep_former: go on knowing the models that were there before, for a queue that may still ask for them.
        trying: have files tried of which nothing is known; else they are left out until another process has done it.
        waiting: stands around the seconds that trying a file takes.
    """
    with _lock:
        sources, wrong = _sources()
        if unknown := [source for source in sources if source not in _answers]:
            kept = custom_answers.read(cache, whatever_age=not trying)
            sums = {source: custom_answers.checksum(source) for source in unknown}
            _answers.update({source: kept[sum_] for source, sum_ in sums.items() if sum_ in kept})
            if trying and (untried := [source for source in unknown if source not in _answers]):
                with waiting():
                    _answers.update({source: check(source) for source in untried})
                custom_answers.keep(cache, {source: _answers[source] for source in untried})
        for former in _answers.keys() - set(sources):
            del _answers[former]
        models, more = _put_together([source for source in sources if source in _answers])
        _faults[:] = wrong + more
        ARCHITECTURES.install(models, keep_former=keep_former)


def files() -> set[str]:
    """The files that the environment and installed packages name, whether they can be read or not."""
    return {*map(str, settings.model_files()), *(path for path, _ in _installed())}


# --- Executing them ---


@dataclass(frozen=True)
class CustomBuild:
    """Builds a model that a source registers. Unlike the function or class itself it can be pickled."""

    source: Source
    id: str  # as it was registered

    def __call__(self) -> nn.Module:
        return registered(self.source)[self.id].build()


@lru_cache(maxsize=64)
def registered(source: Source) -> dict[str, Architecture]:
    """Execute a source; what it registers, with what it has left open empty. A second time nothing is executed.

    Random numbers that it draws change nothing outside, and are the same each time.

    Raises:
        ModelError: it can't be executed.
    """
    import torch

    module = ModuleType(f"fmnist_custom_models_{source.version}")
    module.__file__, module.__package__ = source.path, source.package
    sys.modules[module.__name__] = module  # Where dataclasses and torch look for what belongs to a class.
    try:
        with registering() as found, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            exec(compile(source.text, source.path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{source.name} can't be read: {in_short(error, source.path)}.") from error
    return found


# --- Where they are ---


def _sources() -> tuple[list[Source], list[Fault]]:
    """The files' texts, and what is wrong with those that can't be read. No file is executed."""
    found, wrong = {}, []
    places = [(path, "", f"{settings.MODELS} names {path}") for path in settings.model_files()]
    places += [(Path(path), package, f"An installed package names {path}") for path, package in _installed()]
    for path, package, named in places:
        try:
            found[str(path)] = _read(settings.absolute(path, settings.MODELS), package)
        except settings.SettingsError as error:
            wrong.append(Fault(path.name, str(error)))
        except SyntaxError as error:  # Of the declared encoding too.
            wrong.append(Fault(path.name, f"{path.name} can't be read: {error.msg} (line {error.lineno or 1})."))
        except (OSError, ValueError) as error:
            wrong.append(Fault(path.name, f"{named}, which can't be read: {reason(error)}."))
    return list(found.values()), wrong


def _read(path: Path, package: str) -> Source:
    """A file's text, read again when it has been changed.

    Raises:
        OSError, ValueError: there is none.
        SyntaxError: it is no Python.
    """
    status = path.stat()
    changed = status.st_mtime_ns, status.st_size
    if str(path) not in _seen or _seen[str(path)][0] != changed:
        if status.st_size > MAX_BYTES:
            raise ValueError("it is larger than a megabyte")
        text = importlib.util.decode_source(path.read_bytes())
        _check_syntax(text, path)
        source = Source(str(path), text, package)
        if _answers.get(source) and custom_answers.is_faulty(_answers[source]):
            del _answers[source]  # Whoever touches a file wants it tried again.
        _seen[str(path)] = changed, source
    return _seen[str(path)][1]


def _check_syntax(text: str, path: Path) -> None:
    """Raise a SyntaxError for a text of which no version could be told."""
    compile(text, str(path), "exec", dont_inherit=True)


@lru_cache(maxsize=1)
def _installed() -> list[tuple[str, str]]:
    """The files of the modules that installed packages name, and the packages in which these are."""
    found = []
    for point in entry_points(group=GROUP):
        path, package = _locate(point.module)
        found.append((path or point.module, package))
    return sorted(found)


def _locate(module: str) -> tuple[str | None, str]:
    """The file of a module, and its package; nothing is imported for it, as packages may import torch or fail."""
    names = module.split(".")
    spec, path = None, None
    for place in range(len(names)):
        name = ".".join(names[: place + 1])
        specs = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next(filter(None, specs), None)
        if spec is None:
            break
        path = spec.submodule_search_locations
    if spec is None:
        return None, ""
    return spec.origin, spec.name if path is not None else spec.parent or ""


# --- What is wrong with them ---


def check(source: Source, seconds: float | None = None) -> list[Answer]:
    """What `fmnist.models.custom_check` says of a file's models, or of the file: see there; without "trying" and "end".

    A model may end the process in which it is tried, or hang. Those after it are tried in another.

    Args:
        seconds: the time limit, for all of them or, after one that hangs, for all that are left; `CHECK_SECONDS` if it
            is not given.
    """
    seconds = CHECK_SECONDS if seconds is None else seconds
    deadline = time.monotonic() + seconds
    hangs = 0
    answers: list[Answer] = []
    while True:
        try:
            said, code = _try(source, [answer["id"] for answer in answers], deadline - time.monotonic())
        except OSError as error:
            sentence = f"{source.name} can't be tried: no process can be started ({reason(error)})."
            return [*answers, {"fault": sentence}]
        found = [answer for answer in said if "fault" in answer or "layers" in answer]
        answers += found
        if said and "end" in said[-1]:
            return answers
        ended = f"ended the process (exit code {code})"
        if code is None:
            ended = f"did not end within {seconds:g} seconds"
            hangs += 1
            deadline = time.monotonic() + seconds
        if said and "trying" in said[-1]:
            model = {"id": said[-1]["trying"], "name": said[-1]["name"]}
            answers.append(model | {"fault": f"It {ended} when it was tried."})
        elif code is None or not found:
            what = "tried to the end" if answers else "read"
            return [*answers, {"fault": f"{source.name} can't be {what}: it {ended}."}]
        if any("id" not in answer for answer in found):
            return answers
        if hangs == MAX_HANGS:
            sentence = (
                f"{source.name} was tried no further: {hangs} of its models did not end within {seconds:g} seconds."
            )
            return [*answers, {"fault": sentence}]


def _try(source: Source, known: list[str], seconds: float) -> tuple[list[Answer], int | None]:
    """Have the models of a file tried by a process.

    Args:
        known: the ids of those that need not be tried.

    Returns:
        All that it says, and its exit code; None if it did not end in time.

    Raises:
        OSError: it can't be started.
    """
    order = json.dumps({"source": asdict(source), "known": known})
    process = BackgroundProcess(*settings.module("fmnist.models.custom_check"), text=order, with_children=True)
    try:
        code = process.wait(max(0.0, seconds))
    finally:
        process.stop()
    return [json.loads(line) for line in process.output.splitlines() if line.endswith("}")], code


def _put_together(sources: Sequence[Source]) -> tuple[list[Architecture], list[Fault]]:
    """The good models of all files with their looks, and what is wrong with the others."""
    good: list[tuple[Source, Answer]] = []
    wrong: list[Fault] = []
    for source in sources:
        for answer in _answers[source]:
            fault = answer.get("fault")
            for other, known in good:
                if answer.get("id") == known["id"] or answer.get("name", "").casefold() == known["name"].casefold():
                    fault = f"Its id or name is taken by a model of {other.name}: choose others."
            if fault:
                wrong.append(Fault(source.name, fault, answer.get("id"), answer.get("name")))
            else:
                good.append((source, answer))
    looks = _looks({answer["id"]: (answer["color"], answer["symbol"]) for _, answer in good})
    return [
        Architecture(
            f"{answer['id']}@{source.version}",
            answer["name"],
            answer["layers"],
            *looks[answer["id"]],
            CustomBuild(source, answer["id"]),
            answer["channels_last"],
            answer["parts"],
            tuple((name, kind) for name, kind in answer["modules"]),
            answer["rectified"],
            source,
            answer["compiled"],
            answer["remark"],
        )
        for source, answer in good
    ], wrong


def _looks(chosen: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each id; what was chosen stays.

    The others get the look that their id falls on, or the next free one: so it is seldom another one when models come
    or go, and never when only their order changes.
    """
    taken = set(chosen.values())
    found = {}
    for id in sorted(chosen):
        first = int(hashlib.sha256(id.encode()).hexdigest(), 16)
        looks = [LOOKS[(first + step) % len(LOOKS)] for step in range(len(LOOKS))]
        color, symbol = next((look for look in looks if look not in taken), looks[0])
        found[id] = (chosen[id][0] or color, chosen[id][1] or symbol)
        taken.add((color, symbol))
    return found
