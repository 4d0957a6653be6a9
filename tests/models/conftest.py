"""What the tests of custom models share: files with models, and how they become the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers.ui import PROJECT

from fmnist.models import custom, custom_check
from fmnist.models.registry import ARCHITECTURES, Architecture
from fmnist.models.source import Source

EXAMPLE = PROJECT / "docs" / "my_models.py"
NAMES = {"norm-cnn": "Norm CNN", "mlp": "MLP"}
HEAD = "import torch\nfrom torch import nn\nfrom fmnist.models import register\n\n"
TINY = HEAD + ('@register("tiny", "Tiny")\ndef tiny():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n')
SMALL = {"dataset": "sample", "device": "cpu"}


def forward(*lines: str, init: str = "pass") -> str:
    """A file with a linear model whose forward pass is these lines, and that has something more."""
    body = "".join(f"        {line}\n" for line in lines)
    return HEAD + (
        '@register("odd", "Odd")\n'
        "class Odd(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = nn.Linear(784, 10)\n"
        f"        {init}\n\n"
        f"    def forward(self, x):\n{body}"
    )


def source(text: str, name: str = "my_models.py") -> Source:
    return Source(f"/somewhere/{name}", text)


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Have files with these texts as the user's own; tried in this process, which has torch already."""
    folder = tmp_path / "own"

    def put(*texts: str) -> Path:
        folder.mkdir(exist_ok=True)
        paths = [folder / f"models_{number}.py" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        monkeypatch.setenv("FMNIST_MODELS", os.pathsep.join(map(str, paths)))
        custom.refresh(tmp_path / "runs")
        return paths[0]

    monkeypatch.setattr(custom, "check", tried_here)
    yield put
    monkeypatch.delenv("FMNIST_MODELS", raising=False)
    custom.refresh(tmp_path / "runs")


def tried_here(source: Source) -> list[dict]:
    """`custom.check` without the seconds that a process takes to import torch."""
    threads = torch.get_num_threads()
    answers = [answer for answer in custom_check.check(source) if "fault" in answer or "layers" in answer]
    torch.set_num_threads(threads)
    return answers


def own() -> list[Architecture]:
    return [model for model in ARCHITECTURES.values() if model.custom]


@pytest.fixture
def example(use) -> None:
    """The models of the docs."""
    use(EXAMPLE.read_text())


LAYERS = "nn.Flatten(), nn.Linear(784, 10)"
