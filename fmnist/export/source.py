"""Code by itself: what a reader, or a script without this project, needs to build a model and to read pictures."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import textwrap
from pathlib import Path

from fmnist.export import ExportError
from fmnist.models import custom
from fmnist.models.registry import Architecture


def source(architecture: Architecture) -> tuple[str, str]:
    """Code that needs nothing but PyTorch (and what the user's own file imports), and the name in it that builds the
    model when it is called without arguments.

    Raises:
        ExportError: a file of the user's that needs this project for more than to register the model, or in which the
            model has no name of its own.
        ModelError: the file can't be executed any more.
    """
    build, written = architecture.build, architecture.source
    if written is None:
        code = plain(textwrap.dedent(inspect.getsource(build)), architecture.name)
        # Once, at the top: its annotation needs the name, too.
        code = re.sub(r"^ +from torch import nn\n\n?", "", code, flags=re.MULTILINE)
        return f"from torch import nn\n\n\n{code}", build.__name__
    # Of the user's file all: its models may use anything in it.
    name = custom.registered(written)[architecture.short_id].build.__name__
    named = {getattr(node, "name", None) for node in ast.parse(written.text).body}
    if name not in named:
        raise ExportError(
            f"{architecture.name} can't be written as code: in {written.name} it is not a function or class that "
            f"stands by itself."
        )
    return plain(written.text, architecture.name), name


def plain(text: str, name: str) -> str:
    """Code without what registers a model here: the decorator `register`, and its import. The rest stays as written.

    Args:
        name: of the model, for the message.

    Raises:
        ExportError: more of this project is used.
    """
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        left_out: list[ast.stmt | ast.expr] = []
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_our_import(node):
            left_out = [node]
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            left_out = [decorator for decorator in node.decorator_list if _called(decorator) == "register"]
        for part in left_out:
            last = part.end_lineno or part.lineno
            lines[part.lineno - 1 : last] = [""] * (last - part.lineno + 1)
    kept = "\n".join(lines).strip() + "\n"
    try:
        uses_us = any(_imports_us(node) for node in ast.walk(ast.parse(kept)))
    except SyntaxError:
        uses_us = True
    if uses_us:
        raise ExportError(
            f"The code of {name} uses more of this project than register, and can't be written as a plain script."
        )
    return kept


def copies(script: str, package: str) -> tuple[str, dict[str, str]]:
    """A script that needs nothing of this project, and copies of the modules that it imports from it, and of theirs.

    Args:
        script: it imports from this project by `from fmnist.room.module import name` alone, as these modules do.
        package: the name of the package that the copies become; the script imports from there.

    Returns:
        The script, and the code of each module by its name, without its room.
    """
    found: dict[str, str] = {}

    def rewritten(text: str) -> str:
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if not _imports_us(node):
                continue
            module = getattr(node, "module", None) or ""
            spec = importlib.util.find_spec(module) if module.count(".") == 2 else None
            if spec is None or spec.origin is None:
                raise ValueError(f"can't be copied: {ast.unparse(node)}")
            name, line = module.rpartition(".")[2], node.lineno - 1  # type: ignore[attr-defined]
            lines[line] = lines[line].replace(f"from {module} import", f"from {package}.{name} import")
            if name not in found:
                found[name] = ""  # It is under way.
                found[name] = rewritten(Path(spec.origin).read_text(encoding="utf-8"))
        return "\n".join(lines) + "\n"

    return rewritten(script), found


def _is_our_import(node: ast.AST) -> bool:
    """from fmnist.models import register"""
    return (
        isinstance(node, ast.ImportFrom)
        and node.module in ("fmnist.models", "fmnist.models.registry")
        and [alias.name for alias in node.names] == ["register"]
    )


def _imports_us(node: ast.AST) -> bool:
    ours = "fmnist"
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] == ours
    return isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == ours for alias in node.names)


def _called(decorator: ast.expr) -> str:
    """The name that a decorator calls: "register" of @register(...) and of @models.register(...)."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
