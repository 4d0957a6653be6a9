"""Registry: all models by their id, and everything that the rest of the project knows about them without torch."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import traceback
from collections import UserDict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from fmnist.models.source import Source
from fmnist.words import plain

if TYPE_CHECKING:
    from torch import nn

Builder = TypeVar("Builder", bound="Callable[[], nn.Module]")

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
NAME = re.compile(r"[^\W\d_](?:[^\W_]|[ +,./()-])*")  # Nothing that means something in Markdown or HTML.
MAX_NAME, MAX_LAYERS = 40, 300
COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
SYMBOLS = (
    *("circle", "square", "diamond"),
    *("cross", "x", "triangle-up", "star", "pentagon", "triangle-down", "hexagon", "hourglass", "bowtie"),
)
"""Plotly markers that can be told apart when they are small."""
MAX_PARTS = 8
MAX_ERROR = 200  # Characters of what a model says when it fails.


class ModelError(ValueError):
    """A custom model that can't be used. The message is a sentence for the user."""


@dataclass(frozen=True)
class Architecture:
    """A model that can be trained, and how it is shown."""

    id: str
    """What recipes call it; of a custom model with the version of its code: "norm-cnn@1a2b3c4d"."""
    name: str
    layers: str
    """Its layers in one line, for people."""
    color: str
    """Its colour on every page: Tol's "vibrant" scheme, told apart with every kind of colour blindness."""
    symbol: str
    """Its Plotly marker, so that colour is never the only difference."""
    build: Callable[[], nn.Module]
    """Makes the module: float32 (N, 1, 28, 28) in [0, 1] -> logits (N, 10)."""
    channels_last: bool
    """Convolutions on a CPU run faster with the channels as the innermost dimension."""
    parts: int
    """In how many parts, on as many CPU threads, a step is computed: 1 unless there is much arithmetic in it."""
    modules: tuple[tuple[str, str], ...] = ()
    """Name and class of each module that has no parts, in the order in which an image passes them: ("8", "ReLU")."""
    rectified: bool = False
    """Whether its logits are what a ReLU gives, so that none can be negative."""
    source: Source | None = None
    """The file that a custom model stands in; None for one of the project's."""
    compiled: bool = False
    """Whether its gradients can be computed by compiled kernels: `chain.convolves`."""
    remark: str = ""
    """What makes a custom model learn badly, though it can be trained: a sentence, or nothing."""
    kind: str = ""
    """What sort of network one of the project's models is, in a word or two."""
    gist: str = ""
    """What one of the project's models does, in half a line, for somebody who does not know these words."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Of one of the project's models, what each of `modules` gives for one image: (10, 28, 28), or (784,)."""

    @property
    def custom(self) -> bool:
        """Whether it is the user's, not one of the project's."""
        return self.source is not None

    @property
    def full_name(self) -> str:
        """The name for somebody who meets the model for the first time: "Model 1 · MLP with ReLU"."""
        return f"{self.name} · {self.kind}" if self.kind else self.name

    @property
    def short_id(self) -> str:
        """What people call it, on the command line: the id without the version."""
        return self.id.partition("@")[0]

    @cached_property  # Every key asks for it, and a sweep has a thousand keys.
    def definition(self) -> str:
        """The code that a cached result depends on, without comments, layout and docstrings.

        Of one of the project's models that of the building function, of a custom one that of its whole file.
        """
        if self.source:
            return self.source.definition
        function = ast.parse(textwrap.dedent(inspect.getsource(self.build))).body[0]
        assert isinstance(function, ast.FunctionDef)
        function.decorator_list = []
        if ast.get_docstring(function) is not None:
            function.body = function.body[1:]
        return ast.unparse(function)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Make a sentence of what the user's own code raises; what ours raises is a bug, and stays what it is.

        Raises:
            ModelError: a custom model has raised something.
        """
        try:
            yield
        except ModelError:
            raise
        except Exception as error:
            if self.source is None:
                raise
            reason = in_short(error, self.source.path)
            raise ModelError(f"{self.name} ({self.source.name}) raised {reason}.") from error


class Architectures(UserDict[str, Architecture]):
    """The models by id: the project's three, the cheapest first, then the custom ones.

    Safe to read while another thread replaces the custom models: their mapping is exchanged as a whole. A former
    version of a model is still found by its id, for those who have just read it somewhere, but no longer listed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._former: dict[str, Architecture] = {}
        self.generation = 0
        """Changes with the custom models: what a cache compares to know whether names may have changed."""

    def __missing__(self, id: str) -> Architecture:
        return self._former[id]

    @property
    def project(self) -> list[str]:
        """The ids of the models that come with the project."""
        return [id for id, model in self.data.items() if not model.custom]

    def place(self, id: str) -> int:
        """Where a model stands: the order of the queue and of every list."""
        return next((place for place, known in enumerate(self.data) if known == id), len(self.data))

    def full_id(self, id: str) -> str:
        """The id with its version, of a custom model that is named without; any other as it is."""
        return next((model.id for model in self.data.values() if model.custom and model.short_id == id), id)

    def install(self, custom: Sequence[Architecture], *, keep_former: bool = False) -> None:
        """Exchange the custom models.

        Args:
            keep_former: go on listing the versions from before, after the new ones.
        """
        new = {model.id: model for model in custom}
        former = {id: model for id, model in self.data.items() if model.custom and id not in new}
        kept = {id: model for id, model in self.data.items() if not model.custom} | new
        if keep_former:
            kept |= former
        if list(kept.items()) != list(self.data.items()):
            self._former |= former
            self.data = kept
            self.generation += 1


ARCHITECTURES = Architectures()
"""The models that can be trained. `networks` puts the project's here, `custom` those of the user's files."""


# --- Registering ---

_registering: ContextVar[dict[str, Architecture] | None] = ContextVar("registering", default=None)
"""Where `register` puts the models of the file that is being executed; None while none is."""


@contextmanager
def registering() -> Iterator[dict[str, Architecture]]:
    """Collect what `register` decorates within, by id: `custom.registered` executes a user's file so."""
    found: dict[str, Architecture] = {}
    place = _registering.set(found)
    try:
        yield found
    finally:
        _registering.reset(place)


def register(
    id: str,
    name: str,
    layers: str = "",
    *,
    color: str = "",
    symbol: str = "",
    channels_last: bool = False,
    parts: int = 1,
    modules: Sequence[str] = (),
    shapes: Sequence[tuple[int, ...]] = (),
    kind: str = "",
    gist: str = "",
    compiled: bool = False,
    into: MutableMapping[str, Architecture] | None = None,
) -> Callable[[Builder], Builder]:
    """Make the decorated function, or class of a module, a model that can be trained.

    In a user's file it does so while `custom` executes the file. Where somebody imports the same file as any other
    module, in a notebook for example, it does nothing: the decorated thing is what it is without us.

    Args:
        id: what the command line calls it: letters, digits, - and _.
        name: for people; other than every other model's.
        layers: in one line. Custom models that leave it out are described by their modules.
        color: "#RRGGBB". Custom models that leave it out get one that no other model has, and so with the symbol.
        symbol: one of `SYMBOLS`.
        channels_last, parts: see `Architecture`.
        modules: of the project's models, each an `nn.Sequential`, the classes of its modules in order: what is said of
            a run that went wrong needs them, where torch is not imported. Custom models are looked at when they are
            tried.
        shapes, kind, gist: of the project's models, see `Architecture`; the first page draws and describes them so.
        compiled: of the project's models, see `Architecture`.
        into: where to put one of the project's models, `ARCHITECTURES`. Custom models leave it out.

    The decorated thing is called without arguments and gives a module that takes float32 (N, 1, 28, 28) in [0, 1] and
    returns logits (N, 10).

    Raises:
        ModelError: a value can't be used, or the id or name is taken.
    """

    def add(build: Builder) -> Builder:
        named = tuple((str(index), kind) for index, kind in enumerate(modules))
        rectified = tuple(modules[-1:]) == ("ReLU",)
        architecture = Architecture(
            *(id, name, layers, color, symbol, build, channels_last, parts, named, rectified),
            compiled=compiled,
            kind=kind,
            gist=gist,
            shapes=tuple(shapes),
        )
        if into is not None:
            into[id] = architecture
        elif (found := _registering.get()) is not None:
            _check(architecture, found)
            found[id] = architecture
        return build

    return add


def _check(new: Architecture, found: dict[str, Architecture]) -> None:
    """Raise a `ModelError` for what can't be registered beside the project's models and what was found so far."""
    taken = [*(ARCHITECTURES[id] for id in ARCHITECTURES.project), *found.values()]
    if not (isinstance(new.id, str) and ID.fullmatch(new.id)):
        raise ModelError(f"{new.id!r} can't be an id: use up to 40 letters, digits, - and _, such as 'my-cnn'")
    if (
        not (isinstance(new.name, str) and len(new.name) <= MAX_NAME and NAME.fullmatch(new.name))
        or new.name[-1] == " "
    ):
        raise ModelError(
            f"{new.name!r} can't be a name: use up to {MAX_NAME} letters, digits, spaces and + , . / ( ) -"
        )
    for other in taken:
        if other.id == new.id:
            raise ModelError(f"the id {new.id!r} is taken by {other.name}: choose another")
        if other.name.casefold() == new.name.casefold():
            raise ModelError(f"the name {new.name!r} is taken: choose another")
    if not (isinstance(new.layers, str) and len(new.layers) <= MAX_LAYERS and (new.layers + "x").isprintable()):
        raise ModelError(f"layers must be a line of at most {MAX_LAYERS} characters")
    if not (isinstance(new.color, str) and (not new.color or COLOR.fullmatch(new.color))):
        raise ModelError(f"{new.color!r} is not a colour such as '#AA4499'")
    if new.symbol and new.symbol not in SYMBOLS:
        raise ModelError(f"there is no symbol {new.symbol!r}: choose from {', '.join(SYMBOLS)}")
    if not isinstance(new.channels_last, bool):
        raise ModelError(f"channels_last must be True or False, not {new.channels_last!r}")
    if not (isinstance(new.parts, int) and 1 <= new.parts <= MAX_PARTS):
        raise ModelError(f"parts must be a whole number from 1 to {MAX_PARTS}, not {new.parts!r}")
    if not callable(new.build):
        raise ModelError("register must stand above a class or a function")


def in_short(error: BaseException, path: str) -> str:
    """What was raised, in a line: "NameError: name 'x' is not defined (line 12)".

    Args:
        path: of the file whose last line on the way is told.
    """
    text = " ".join(plain(str(error)).split()).rstrip(".")
    if isinstance(error, SyntaxError):
        text, line = error.msg, error.lineno if error.filename == path else None
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == path), None)
    if len(text) > MAX_ERROR:
        text = f"{text[:MAX_ERROR]} …"
    kind = "" if isinstance(error, ModelError) else type(error).__name__
    return ": ".join(filter(None, [kind, text])) + (f" (line {line})" if line else "")
