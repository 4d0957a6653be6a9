"""The text of a file with custom models, and its version: what of the text decides a result."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import TypeVar


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
