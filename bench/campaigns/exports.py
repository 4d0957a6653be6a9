"""Does every export give the accuracy that the store says?  python -m bench.campaigns.exports [--data PATH]

Each reference run is exported in every format, and each export is asked for the run's accuracy on all test images, with
every digit: models by answering for the images (the weights as the card's own snippet loads them, ONNX in onnxruntime,
the plain script in a process that can't import this project), tables and tracking servers by what is written there.
What needs a package that is not installed is left out, and its cells say "-".
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.common import show
from fmnist.data import files
from fmnist.data.files import Dataset
from fmnist.export import FORMATS, card
from fmnist.export.chosen import Chosen, file_name
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.store.store import Store

BATCH = 1000  # images at once: all of them would need gigabytes


def accuracy(predicted: np.ndarray, data: Dataset) -> float:
    """Of all test images, in one division, as the store's."""
    if len(predicted) != len(data.test_labels):
        raise ValueError(f"{len(predicted)} answers for {len(data.test_labels)} images")
    return int(np.count_nonzero(predicted == data.test_labels)) / len(data.test_labels)


def inputs(data: Dataset) -> Iterator[np.ndarray]:
    """The test images as the model card says that they have to be: float32 (N, 1, 28, 28), from 0 to 1."""
    for start in range(0, len(data.test_images), BATCH):
        yield data.test_images[start : start + BATCH, None].astype(np.float32) / 255


# --- What each export says: from the exported folder, the run and the data to an accuracy ---


def of_card(folder: Path, run: Run, data: Dataset) -> float:
    """Both code blocks of the card, pasted, answer."""
    import torch

    code, *_, loading = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code + loading.replace('load_file("', f'load_file("{folder}/'), names)
    with torch.inference_mode():
        parts = [names["model"](torch.from_numpy(part)).argmax(dim=1).numpy() for part in inputs(data)]
    return accuracy(np.concatenate(parts), data)


def of_onnx(folder: Path, run: Run, data: Dataset) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / f"{file_name(run)}.onnx"))
    parts = [session.run(["logits"], {"images": part})[0].argmax(axis=1) for part in inputs(data)]
    return accuracy(np.concatenate(parts), data)


def of_script(folder: Path, run: Run, data: Dataset) -> float:
    images = folder / "t10k-images-idx3-ubyte"
    images.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *data.test_images.shape) + data.test_images.tobytes())
    command = [sys.executable, "-E", "-s", "predict.py", images.name, "--csv"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    answers = pd.read_csv(io.StringIO(said))["answer"]
    return accuracy(answers.map(data.info.classes.index).to_numpy(), data)


def of_csv(folder: Path, run: Run, data: Dataset) -> float:
    return _of_tables(pd.read_csv(folder / "runs.csv"), pd.read_csv(folder / "predictions.csv"), data)


def of_parquet(folder: Path, run: Run, data: Dataset) -> float:
    return _of_tables(pd.read_parquet(folder / "runs.parquet"), pd.read_parquet(folder / "predictions.parquet"), data)


def _of_tables(runs: pd.DataFrame, answers: pd.DataFrame, data: Dataset) -> float:
    counted, [said] = accuracy(answers["predicted"].to_numpy(), data), runs["test_accuracy"]
    return counted if counted == said else float("nan")


def of_tensorboard(folder: Path, run: Run, data: Dataset) -> float:
    """The last point; event files have float32 alone."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder / file_name(run) / "test"), size_guidance={"scalars": 0})
    reader.Reload()
    return round(reader.Scalars("accuracy")[-1].value * len(data.test_labels)) / len(data.test_labels)


def of_mlflow(folder: Path, run: Run, data: Dataset) -> float:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("fmnist")
    assert experiment
    [logged] = client.search_runs([experiment.experiment_id], filter_string=f"tags.`fmnist.run` = '{run.address}'")
    return logged.data.metrics["test_accuracy"]


ASKED: Mapping[str, Callable[[Path, Run, Dataset], float]] = {
    "safetensors": of_card,
    "onnx": of_onnx,
    "script": of_script,
    "csv": of_csv,
    "parquet": of_parquet,
    "tensorboard": of_tensorboard,
    "mlflow": of_mlflow,
}


def said(library: Library, run: Run, form: str, data: Dataset, folder: Path) -> float | None:
    """The accuracy of a run according to its export; None where that needs what is not installed.

    Args:
        form: an id in `FORMATS`.
        folder: for the export, empty.
    """
    if FORMATS[form].missing:
        return None
    chosen = Chosen(library, (run,), lambda _: data)
    export = FORMATS[form].load()
    if FORMATS[form].tracking:
        with contextlib.chdir(folder):  # MLflow keeps files where it is called.
            export(chosen, f"sqlite:///{folder}/mlflow.db", "fmnist")
    else:
        export(chosen, folder)
    return ASKED[form](folder, run, data)


def stated(library: Library, run: Run, data: Dataset) -> float:
    """The accuracy in the front matter of a run's model card."""
    [value] = re.findall(r'^ *-? *"?value"?: ([0-9.]+)$', card.write(Chosen(library, (run,), lambda _: data)), re.M)
    return float(value)


def check(library: Library, run: Run, data: Dataset, forms: tuple[str, ...] = tuple(ASKED)) -> dict[str, float | None]:
    """What a run's card and its exports say of its accuracy, by name."""
    found: dict[str, float | None] = {"card": stated(library, run, data)}
    for form in forms:
        with tempfile.TemporaryDirectory(prefix="fmnist-exports-") as folder:
            found[form] = said(library, run, form, data, Path(folder))
    return found


def main() -> int:
    """Export, ask, and print; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    root = parser.parse_args().data
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fmnist-exports-") as folder:
        load = cache(lambda name: files.load(name, root, Path(folder)))
        library = Library(Store(Path(folder) / "fmnist.db"))

        def rows() -> Iterator[list[str]]:
            for run in library.stores["reference"].runs():
                store = run.finished_result.test_accuracy
                found = check(library, run, load(run.recipe.dataset))
                wrong.extend(f"{run.address} {name}" for name, value in found.items() if value not in (None, store))
                yield [run.address, run.name, f"{store}", *("-" if one is None else f"{one}" for one in found.values())]

        names = {form: FORMATS[form].name for form in ASKED} | {"safetensors": "Card's snippet"}
        show(["Run", "Name", "Store", "Card", *names.values()], rows())
    print(f"{len(wrong)} figures differ from the store's{': ' if wrong else '.'}{', '.join(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
