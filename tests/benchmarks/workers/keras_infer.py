"""Rows a second of ``model.evaluate`` or ``predict``: ``keras_infer.py evaluate|predict ROWS``."""

import sys
import time
from pathlib import Path

import protocol
from samples import as_keras, samples

sys.path.insert(0, str(Path(__file__).parents[1] / "plain"))
from models import MODELS


def main() -> None:
    verb, rows = sys.argv[1], int(sys.argv[2])
    x, y = as_keras("mlp", samples("mlp", rows))
    model = MODELS["mlp"].build()
    model.compile(**MODELS["mlp"].compiled())

    def rate() -> float:
        started = time.perf_counter()
        if verb == "evaluate":
            model.evaluate(x, y, verbose=0)
        else:
            model.predict(x, verbose=0)
        return rows / (time.perf_counter() - started)

    rate()
    protocol.serve(rate)


if __name__ == "__main__":
    main()
