"""The registry: the sizes that the pages state, that knowing a model does not cost importing torch, and registering."""

from __future__ import annotations

import dataclasses
import linecache
import subprocess
import sys

import pytest
import torch

from fmnist.models import arithmetic, register
from fmnist.models.registry import ARCHITECTURES, Architecture, ModelError, registering
from fmnist.settings import PROJECT

SIZES = {"0": (7_850, 7_840), "1": (7_960, 7_940), "2": (7_740, 1_133_860)}


@pytest.mark.parametrize("model, parameters, multiply_adds", [(model, *sizes) for model, sizes in SIZES.items()])
def test_size_and_shape(model, parameters, multiply_adds):
    module = ARCHITECTURES[model].build()
    images = torch.rand(3, 1, 28, 28)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert arithmetic.multiply_adds(module, images[:1]) == multiply_adds
    assert module(images).shape == (3, 10)


def test_only_model_1_has_no_negative_logits():
    images = torch.rand(500, 1, 28, 28) - 0.5
    negative = {id: bool((model.build()(images) < 0).any()) for id, model in ARCHITECTURES.items()}
    assert negative == {"0": True, "1": False, "2": True}


def test_each_model_can_be_told_from_the_others():
    for field in ("name", "layers", "color", "symbol", "definition"):
        assert len({getattr(model, field) for model in ARCHITECTURES.values()}) == len(ARCHITECTURES), field


@pytest.mark.parametrize(
    "module",
    [
        "models",
        "recipe",
        "data.files",
        "metrics",
        "store.store",
        "training.scheduler",
        "store.library",
        "compare.charts",
    ],
)
def test_showing_results_imports_no_torch(module):
    code = f"import sys, fmnist.{module}; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


def architecture(source: str) -> Architecture:
    """Model 0 with another building function, in a file of its own as far as Python can tell."""
    name = f"<test {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict = {}
    exec(compile(source, name, "exec"), names)
    return dataclasses.replace(ARCHITECTURES["0"], build=names["build"])


PLAIN = "def build():\n    from torch import nn\n    return nn.Linear(784, 10)\n"


@pytest.mark.parametrize(
    "source",
    [
        PLAIN.replace("    from", '    """What it is."""\n    from'),
        PLAIN.replace("    from", "    # Why.\n\n    from"),
        PLAIN.replace("(784, 10)", "(\n        784,\n        10,\n    )"),
    ],
    ids=["docstring", "comment", "layout"],
)
def test_definition_ignores_what_does_not_compute(source):
    assert architecture(source).definition == architecture(PLAIN).definition


@pytest.mark.parametrize("change", [("784, 10", "784, 11"), ("nn.Linear", "nn.LazyLinear"), ("10)", "10, bias=False)")])
def test_definition_changes_with_the_code(change):
    assert architecture(PLAIN.replace(*change)).definition != architecture(PLAIN).definition


def test_definition_leaves_out_name_and_colour():
    assert "#" not in ARCHITECTURES["0"].definition
    assert "Model" not in ARCHITECTURES["0"].definition


def test_a_file_with_custom_models_that_is_imported_like_any_other_registers_nothing():
    known = dict(ARCHITECTURES)

    @register("mine", "Mine", symbol="no such symbol")
    def build() -> str:
        return "built"

    assert dict(ARCHITECTURES) == known
    assert build() == "built"


def test_what_a_file_registers_is_collected_and_not_put_among_the_models_yet():
    known = dict(ARCHITECTURES)
    with registering() as found:
        register("mine", "Mine", parts=2)(list)
        with pytest.raises(ModelError, match="the id 'mine' is taken"):
            register("mine", "Another")(list)
    register("late", "Late")(list)
    assert list(found) == ["mine"] and (found["mine"].build, found["mine"].parts) == (list, 2)
    assert dict(ARCHITECTURES) == known


def test_the_projects_networks_are_there_whatever_of_the_package_is_imported_first():
    code = "from fmnist.models.registry import ARCHITECTURES; print(*ARCHITECTURES)"
    process = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert process.stdout.split() == ["0", "1", "2"]
