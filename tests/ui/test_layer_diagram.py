"""The diagrams of the three models: they say what PyTorch says of the networks."""

from __future__ import annotations

import re

import pytest

from fmnist.models.chain import chain
from fmnist.models.registry import ARCHITECTURES
from fmnist.ui.layer_diagram import Step, layer_diagram, steps


@pytest.mark.parametrize("id", ARCHITECTURES.project)
def test_the_registered_modules_and_shapes_are_those_of_the_network(id):
    layers = chain(ARCHITECTURES[id].build())
    assert layers
    assert [layer.gives for layer in layers] == [*ARCHITECTURES[id].shapes]
    assert [type(layer.module).__name__ for layer in layers] == [kind for _, kind in ARCHITECTURES[id].modules]


def test_a_relu_goes_with_its_layer_and_equal_layers_are_counted():
    assert [step.label for step in steps(ARCHITECTURES["1"])] == ["Image", "Flatten", "Linear + ReLU", "Linear + ReLU"]
    assert steps(ARCHITECTURES["2"]) == [
        Step("Image", (1, 28, 28)),
        Step("2 × Conv2d + ReLU", (10, 28, 28)),
        Step("MaxPool2d", (10, 14, 14)),
        Step("2 × Conv2d + ReLU", (10, 14, 14)),
        Step("MaxPool2d", (10, 7, 7)),
        Step("Flatten", (490,)),
        Step("Linear", (10,)),
    ]


def test_the_diagram_can_be_read_without_its_drawings():
    diagram = layer_diagram(ARCHITECTURES["0"])
    assert 'aria-label="Layers of Model 0, with the shape of what each gives"' in diagram
    assert all('aria-hidden="true"' in drawing for drawing in re.findall(r'<span class="glyph[^>]*>', diagram))
    assert re.findall(r"</span><span>(.*?)</span><span>(.*?)</span>", diagram) == [
        ("Image", "1 × 28 × 28"),
        ("Flatten", "784"),
        ("Linear", "10"),
    ]
