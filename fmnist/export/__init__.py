"""Results taken elsewhere: finished runs, written in the formats that other programs open.

A format is a module here and a line in `FORMATS`: page and command line then have it. The modules, and the optional
packages that some need, are imported when something is exported and not before.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fmnist import settings

TRACKING_URI = "MLFLOW_TRACKING_URI"
"""The environment variable in which MLflow itself looks."""


class ExportError(Exception):
    """An export that can't be made. The message is a sentence for the user."""


@dataclass(frozen=True)
class Format:
    """A way to take results along."""

    id: str
    """What `--to` calls it."""
    name: str
    makes: str
    """What comes out, in a sentence for people."""
    function: str
    """"module:name" in this package. It takes (chosen, folder) and fills the folder; with `tracking` it takes
    (chosen, tracking URI, experiment). It returns remarks for the user: sentences."""
    needs: tuple[str, ...] = ()
    """Modules of optional packages, those of the extra `export`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What such a package is told by environment variables before it is imported; what the user has set holds."""
    tracking: bool = False
    """Whether it logs into a tracking server instead of writing files."""

    @property
    def missing(self) -> str:
        """What has to be installed first, in a sentence; nothing if all is there. Imports nothing."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if not absent:
            return ""
        verb = "is" if len(absent) == 1 else "are"
        return f"{self.name} needs {', '.join(absent)}, which {verb} not installed: {settings.how_to_install('export')}"

    def load(self) -> Callable[..., list[str]]:
        """The function.

        Raises:
            ExportError: an optional package is missing.
        """
        if self.missing:
            raise ExportError(self.missing)
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(f"fmnist.export.{module}"), name)


MLFLOW = {
    # Its makers are told nothing of its use.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Where a server does not answer, this is said within a minute: by default it tries for half an hour.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}

FORMATS: dict[str, Format] = {
    format.id: format
    for format in (
        Format(
            "safetensors",
            "safetensors",
            "The weights of each run, and a model card (README.md) as Hugging Face shows it.",
            "weights:write",
        ),
        Format(
            "onnx",
            "ONNX",
            "Each run as an ONNX model with a free batch size, checked against onnxruntime.",
            "onnx_model:write",
            needs=("onnx", "onnxscript", "onnxruntime"),
        ),
        Format(
            "script",
            "Plain PyTorch script",
            "predict.py with the weights: it answers for pictures without this project.",
            "script:write",
        ),
        Format(
            "tensorboard",
            "TensorBoard",
            "Event files with the curves and the hyperparameters of each run.",
            "event_files:write",
            needs=("tensorboard",),
        ),
        Format(
            "mlflow",
            "MLflow",
            "Logged through MLflow's client: parameters, metrics, tags, data set, weights with a card, and the model, "
            "registered so that MLflow can serve it.",
            "tracking:log",
            needs=("mlflow", "onnx", "onnxscript", "onnxruntime"),
            environment=MLFLOW,
            tracking=True,
        ),
        Format(
            "csv",
            "CSV",
            "Tables of the runs, their curves, every answer for the test images, and the classes.",
            "tables:write_csv",
        ),
        Format(
            "parquet",
            "Parquet",
            "The same tables, with their data types.",
            "tables:write_parquet",
            needs=("pyarrow",),
        ),
    )
}
