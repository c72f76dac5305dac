"""Training with Keras alone: ``train.py MODEL DATA.npz FOLDER [EPOCHS]``."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from models import MODELS


def main() -> None:
    plain = MODELS[sys.argv[1]]
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    epochs = int(sys.argv[4]) if len(sys.argv) > 4 else plain.epochs

    with np.load(sys.argv[2]) as data:
        x = [data[f"{name}_train"] for name in plain.inputs]
        y = [data[f"{name}_train"] for name in plain.outputs]

    keras.utils.set_random_seed(0)
    model = plain.build()
    model.compile(**plain.compiled())
    history = model.fit(
        x if len(x) > 1 else x[0],
        y if len(y) > 1 else y[0],
        epochs=epochs,
        verbose=2,
        **plain.fitted,
    )
    (folder / "history.json").write_text(json.dumps(history.history))
    model.save(folder / "model.keras")


if __name__ == "__main__":
    main()
