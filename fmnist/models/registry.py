"""The architectures, and everything that the rest of the project knows about them.

A model of the project is added here and nowhere else: write a function that builds it and register it. Every page, the
command line and the tests then have it. A model of the user's own is registered in the same way in a file of its own,
which `custom` finds, has tried, and puts among the others.

The functions import torch when they are called, not before: the pages list, name and colour models
all the time, and must not pay two seconds and half a gigabyte for it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import textwrap
import traceback
from collections import UserDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

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
    """A model of the user's own that can't be used. The message is a sentence for the user."""


@dataclass(frozen=True)
class Architecture:
    """A model that can be trained, and how it is shown."""

    id: str
    """What recipes call it; of an own model with the version of its code: "norm-cnn@1a2b3c4d"."""
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

    @property
    def custom(self) -> bool:
        """Whether it is the user's own, not one of the project's."""
        return isinstance(self.build, CustomBuild)

    @property
    def short_id(self) -> str:
        """What people call it, on the command line: the id without the version."""
        return self.id.partition("@")[0]

    @cached_property  # Every key asks for it, and a sweep has a thousand keys.
    def definition(self) -> str:
        """The code that a cached result depends on, without comments, layout and docstrings.

        Of one of the project's models that of the building function, of an own one that of its whole file.
        """
        if isinstance(self.build, CustomBuild):
            return self.build.source.definition
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
            ModelError: an own model has raised something.
        """
        try:
            yield
        except ModelError:
            raise
        except Exception as error:
            if not isinstance(self.build, CustomBuild):
                raise
            source = self.build.source
            raise ModelError(f"{self.name} ({source.name}) has raised {in_short(error, source.path)}.") from error


class Architectures(UserDict[str, Architecture]):
    """The models by id: the project's own three, the cheapest first, then the user's.

    Safe to read while another thread replaces the user's models: their mapping is exchanged as a whole. A former
    version of a model is still found by its id, for who has just read it somewhere, but not listed any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._former: dict[str, Architecture] = {}
        self.generation = 0
        """Changes with the user's models: what a cache compares to know whether names may have changed."""

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
        """The id with its version, of an own model that is named without; any other as it is."""
        return next((model.id for model in self.data.values() if model.custom and model.short_id == id), id)

    def install(self, own: Sequence[Architecture], *, keep_former: bool = False) -> None:
        """Exchange the user's models.

        Args:
            keep_former: go on listing the versions from before, after the new ones.
        """
        new = {model.id: model for model in own}
        former = {id: model for id, model in self.data.items() if model.custom and id not in new}
        kept = {id: model for id, model in self.data.items() if not model.custom} | new
        if keep_former:
            kept |= former
        if list(kept.items()) != list(self.data.items()):
            self._former |= former
            self.data = kept
            self.generation += 1


ARCHITECTURES = Architectures()


# --- Models in a file of the user's own ---


@dataclass(frozen=True)
class Source:
    """The text of a file that registers models. It can be sent to another process or machine, and be executed there."""

    path: str
    text: str
    package: str = ""  # that the file is a module of, for its relative imports

    @property
    def name(self) -> str:
        """For people."""
        return PurePath(self.path).name

    @property
    def definition(self) -> str:
        """What decides a result: the code without comments, layout, docstrings, and how the models are shown."""
        return _normalised(self.text)

    @property
    def version(self) -> str:
        return hashlib.sha256(self.definition.encode()).hexdigest()[:8]


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
    found: dict[str, Architecture] = {}
    place = _registering.set(found)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            exec(compile(source.text, source.path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise ModelError(f"{source.name} can't be read: {in_short(error, source.path)}.") from error
    finally:
        _registering.reset(place)
    return found


_registering: ContextVar[dict[str, Architecture] | None] = ContextVar("registering", default=None)


def in_short(error: BaseException, path: str) -> str:
    """What was raised, in a line: "NameError: name 'x' is not defined (line 12)".

    Args:
        path: of the file whose last line on the way is told.
    """
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, SyntaxError):
        text, line = error.msg, error.lineno if error.filename == path else None
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == path), None)
    if len(text) > MAX_ERROR:
        text = f"{text[:MAX_ERROR]} …"
    kind = "" if isinstance(error, ModelError) else type(error).__name__
    return ": ".join(filter(None, [kind, text])) + (f" (line {line})" if line else "")


@lru_cache(maxsize=64)
def _normalised(text: str) -> str:
    return ast.unparse(_Normaliser().visit(ast.parse(text)))


Scope = TypeVar("Scope", ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class _Normaliser(ast.NodeTransformer):
    """Takes docstrings away, and from `@register(...)` what only tells how a model is shown."""

    def _visit_scope(self, node: Scope) -> Scope:
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if not isinstance(node, ast.Module):
            node.body = node.body or [ast.Pass()]
            node.decorator_list = [self._shortened(decorator) for decorator in node.decorator_list]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _visit_scope

    @staticmethod
    def _shortened(decorator: ast.expr) -> ast.expr:
        match decorator:
            case ast.Call(func=ast.Name(id="register") | ast.Attribute(attr="register"), args=args, keywords=keywords):
                kept = [keyword for keyword in keywords if keyword.arg in (None, "id", "channels_last", "parts")]
                return ast.Call(decorator.func, args[:1], kept)
        return decorator


# --- Registering ---


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
) -> Callable[[Builder], Builder]:
    """Make the decorated function, or class of a module, a model of the project.

    Args:
        id: what the command line calls it: letters, digits, - and _.
        name: for people; other than every other model's.
        layers: in one line. Own models that leave it out are described by their modules.
        color: "#RRGGBB". Own models that leave it out get one that no other model has, and so with the symbol.
        symbol: one of `SYMBOLS`.
        channels_last, parts: see `Architecture`.
        modules: of the project's models, each an `nn.Sequential`, the classes of its modules in order: what is said of
            a run that went wrong needs them, where torch is not imported. Own models are looked at when they are tried.

    The decorated thing is called without arguments and gives a module that takes float32 (N, 1, 28, 28) in [0, 1] and
    returns logits (N, 10).

    Raises:
        ModelError: a value can't be used, or the id or name is taken.
    """

    def add(build: Builder) -> Builder:
        named = tuple((str(index), kind) for index, kind in enumerate(modules))
        rectified = tuple(modules[-1:]) == ("ReLU",)
        architecture = Architecture(id, name, layers, color, symbol, build, channels_last, parts, named, rectified)
        found = _registering.get()
        if found is not None:
            _check(architecture, found)
            found[id] = architecture
        elif build.__module__ == __name__:
            ARCHITECTURES[id] = architecture
        return build  # Of somebody's file that is imported like any other, without us.

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
        raise ModelError(f"{new.color!r} is no colour such as '#AA4499'")
    if new.symbol and new.symbol not in SYMBOLS:
        raise ModelError(f"there is no symbol {new.symbol!r}: choose from {', '.join(SYMBOLS)}")
    if not isinstance(new.channels_last, bool):
        raise ModelError(f"channels_last must be True or False, not {new.channels_last!r}")
    if not (isinstance(new.parts, int) and 1 <= new.parts <= MAX_PARTS):
        raise ModelError(f"parts must be a whole number from 1 to {MAX_PARTS}, not {new.parts!r}")
    if not callable(new.build):
        raise ModelError("register must stand above a class or a function")


@register(
    "0",
    "Model 0",
    "Flatten, Linear(784, 10)",
    color="#0077BB",
    symbol="circle",
    modules=("Flatten", "Linear"),
)
def linear() -> nn.Module:
    """Softmax regression: one weight per pixel and class. 7,850 parameters."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


@register(
    "1",
    "Model 1",
    "Flatten, Linear(784, 10), ReLU, Linear(10, 10), ReLU",
    color="#EE7733",
    symbol="square",
    modules=("Flatten", "Linear", "ReLU", "Linear", "ReLU"),
)
def rectified() -> nn.Module:
    """Two layers with a ReLU after each. 7,960 parameters.

    The last ReLU belongs to the published model: it holds negative logits at 0, so a class whose logit
    is never positive gets no gradient and can never be predicted again.
    """
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())


@register(
    "2",
    "Model 2",
    "2 × [Conv2d(10), ReLU, Conv2d(10), ReLU, MaxPool2d(2)], Flatten, Linear(490, 10)",
    color="#009988",
    symbol="diamond",
    channels_last=True,
    parts=2,
    modules=(*(2 * ("Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d")), "Flatten", "Linear"),
)
def tiny_vgg() -> nn.Module:
    """TinyVGG (poloclub.github.io/cnn-explainer), padded, so that 28 x 28 halves twice to 7 x 7. 7,740 parameters."""
    from torch import nn

    def block(channels_in: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels_in, 10, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # The same numbers, less memory moved: 8 to 14% less time on one thread.
            nn.Conv2d(10, 10, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]

    return nn.Sequential(*block(1), *block(10), nn.Flatten(), nn.Linear(10 * 7 * 7, 10))
