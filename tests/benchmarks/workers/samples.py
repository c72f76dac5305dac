"""Random data of the notebook's three models, of any size."""

from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]
INPUTS = {
    "mlp": ["features"],
    "question_answering": ["text", "question"],
    "author_profile": ["posts"],
}
OUTPUTS = {
    "mlp": ["label"],
    "question_answering": ["answer"],
    "author_profile": ["age", "income", "gender"],
}
BATCH = {"mlp": 32, "question_answering": 128, "author_profile": 64}
LENGTHS = {"question_answering": 100, "author_profile": 500}


def samples(name: str, rows: int) -> Arrays:
    """Return arrays by the names of the spec."""
    random = np.random.default_rng(0)

    def classes(count: int) -> npt.NDArray[Any]:
        return np.eye(count, dtype=np.float32)[random.integers(count, size=rows)]

    def ids(vocabulary: int) -> npt.NDArray[Any]:
        return random.integers(vocabulary, size=(rows, LENGTHS[name]), dtype=np.int32)

    if name == "mlp":
        return {"features": random.random((rows, 64), np.float32), "label": classes(10)}
    if name == "question_answering":
        return {"text": ids(10_000), "question": ids(10_000), "answer": classes(500)}
    return {
        "posts": ids(50_000),
        "age": random.random((rows, 1), np.float32),
        "income": classes(10),
        "gender": random.integers(2, size=(rows, 1)).astype(np.float32),
    }


def as_keras(name: str, arrays: Arrays) -> tuple[Any, Any]:
    """Return inputs and targets in the form of ``fit``."""
    inputs = [arrays[name_of_array] for name_of_array in INPUTS[name]]
    wanted = [arrays[name_of_array] for name_of_array in OUTPUTS[name]]
    return (inputs if len(inputs) > 1 else inputs[0]), (wanted if len(wanted) > 1 else wanted[0])
