"""What a spec and its Python script train, compared."""

import runpy
from pathlib import Path

import numpy as np

import modelspec
from modelspec.api.python import to_python


def trained_apart(
    source: modelspec.ModelSpec, data: Path, folder: Path, *, by_model: bool = False
) -> float:
    """The largest difference of weights that a spec and its script train on the same data.

    Relative to the largest weight of the array, or ``by_model`` of the model.
    """
    (folder / "script.py").write_text(to_python(source, data), "utf-8")
    modelspec.train(source, data, run=folder / "run")
    import keras

    keras.backend.clear_session()
    runpy.run_path(str(folder / "script.py"))["main"](model_path=str(folder / "plain.keras"))
    ours, theirs = (
        keras.saving.load_model(file, compile=False)
        for file in (folder / "run" / "model.keras", folder / "plain.keras")
    )
    assert ours.output_names == theirs.output_names
    scale = max(float(np.abs(weight).max()) for weight in ours.get_weights())
    return max(
        float(np.abs(one - other).max()) / (scale if by_model else max(np.abs(one).max(), 1e-12))
        for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True)
    )
