"""The trainings of a spec and of its Python script, compared."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np

import modelspec
from modelspec.api.python import to_python


def trained_apart(
    source: modelspec.ModelSpec, data: Path, folder: Path, *, by_model: bool = False
) -> float:
    """Return the largest difference of weights that a spec and its script train on equal data.

    Relative to the largest weight of the array, or ``by_model`` of the model.
    """
    weights = trained_weights(source, data, folder)
    scale = max(float(np.abs(one).max()) for _, one, _ in weights)
    return max(
        float(np.abs(one - other).max()) / (scale if by_model else max(np.abs(one).max(), 1e-12))
        for _, one, other in weights
    )


def trained_weights(
    source: modelspec.ModelSpec, data: Path, folder: Path
) -> list[tuple[str, Any, Any]]:
    """Return the path of each weight, and its values from a spec and from its script."""
    (folder / "script.py").write_text(to_python(source, data), "utf-8")
    modelspec.train(source, data, run=folder / "run")
    import keras

    keras.backend.clear_session()
    runpy.run_path(str(folder / "script.py"))["main"](model_path=str(folder / "plain.keras"))
    ours, theirs = (
        keras.saving.load_model(file, compile=False)
        for file in (folder / "run" / "model.keras", folder / "plain.keras")
    )
    assert _outputs(ours) == _outputs(theirs)
    paths = [weight.path for weight in ours.weights]
    return list(zip(paths, ours.get_weights(), theirs.get_weights(), strict=True))


def _outputs(model: Any) -> list[str]:
    """Return the names of outputs: those of a dict, or else of the layers that compute them."""
    return list(model.output) if isinstance(model.output, dict) else model.output_names
