"""What others have written - a library, a file's name, an imported run - stands on a page as it is, not as Markdown."""

from __future__ import annotations

import ast

import pytest
from helpers.ui import DATA, TRAIN, shown, texts, visit

from fmnist import settings

SAYING = {"error", "warning", "info", "success", "toast", "caption", "markdown"}


def unescaped(tree: ast.AST) -> list[int]:
    """The lines in which Streamlit is given the text of an exception as it is."""
    found = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in SAYING:
            inside = list(ast.walk(ast.Tuple(elts=call.args)))
            escaped = {
                id(node)
                for escape in inside
                if isinstance(escape, ast.Call) and isinstance(escape.func, ast.Name) and escape.func.id == "escape"
                for node in ast.walk(escape)
            }
            raw = [node for node in inside if isinstance(node, ast.Call) and id(node) not in escaped]
            found += [call.lineno for node in raw if isinstance(node.func, ast.Name) and node.func.id == "str"]
    return found


def test_no_page_gives_the_text_of_an_error_to_markdown():
    folder = settings.PROJECT / "fmnist" / "ui"
    found = {path.name: unescaped(ast.parse(path.read_text())) for path in folder.glob("*.py")}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_data_root_is_no_markdown(tmp_path, monkeypatch, started):
    root = tmp_path / "![x](http:" / "127.0.0.1" / "x.png) **_a_** :red[b] \x1b[31m"
    monkeypatch.setenv("FMNIST_DATA", str(root))
    at = visit(DATA, data="mnist")
    [missing] = texts(at, "info")
    assert "\\!\\[x\\]\\(http\\:/" in missing and "\\*\\*\\_a\\_" in missing
    assert str(root).removesuffix("\x1b[31m") in shown(at, "info")[0] and "\x1b" not in missing
    for page in (at, visit(TRAIN)):
        [where] = [text for text in texts(page, "caption") if "checksum" in text]
        assert "\\!\\[x\\]\\(http\\:/" in where and "\x1b" not in where


@pytest.mark.parametrize("page", ["dashboard.py", TRAIN])
def test_a_store_is_no_markdown(page, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("FMNIST_RUNS", str(tmp_path / "a file" / "**![x](y)**"))
    at = visit(page)
    [error] = texts(at, "error")
    assert "**" not in error and "\\*\\*\\!\\[x\\]\\(y\\)" in error
