"""Several workers in one training: compared, connected, and each with its own view of the run."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelspec.api.model_spec import ModelSpec
from modelspec.cluster.cluster import Cluster
from modelspec.cluster.preflight import compare
from modelspec.language.spec import Spec
from modelspec.problems.errors import RunError
from modelspec.runs.layout import CHECKPOINTS, HISTORY, RECORD, SPEC
from modelspec.runs.progress import Listener
from modelspec.runs.record import versions
from modelspec.runs.run import Run
from modelspec.storage.cache import key

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives


def too_many_workers(spec: Spec, workers: int, rows: int | None = None) -> str:
    """Why so many workers cannot share a batch: some would compute nothing. Empty if they can.

    ``rows`` is the number of rows to train on, if it is known; a batch has no more.
    """
    batch = spec.training.batch_size
    if workers > batch:
        return (
            f"{workers} workers cannot share batches of {batch} rows (training.batch_size): use at "
            f"most {batch} workers, or larger batches"
        )
    if rows is not None and workers > rows:
        return f"{workers} workers cannot share {rows} rows to train on"
    return ""


def connect(cluster: Cluster, source: ModelSpec, facts: Mapping[str, Any]) -> "Collectives":
    """Compare what the workers would train, and connect them. Keras starts here.

    Raises:
        RunError: A worker is missing, or differs from the first; or there are too many.
    """
    samples = facts["data"]["samples"]
    if reason := too_many_workers(source.require().spec, cluster.size, samples):
        raise RunError(reason)
    compare(
        cluster,
        {
            # The seed is told by itself.
            "spec": key(source.with_training(seed=0).resolved_text()),
            "data": facts["data"],
            "validation data": facts["validation"],
            "seed": facts["seed"],
            "version": versions(),
            "plugins": {plugin.name: plugin.sha256 for plugin in source.catalog.plugins},
            "list of workers": list(cluster.addresses),
        },
    )
    from modelspec.backend.workers.joining import join

    return join(cluster.addresses, cluster.index)


@contextmanager
def follower(run: Run, workers: "Collectives") -> Iterator[Run]:
    """A copy of the chief's run for another worker, which writes nothing into the run's folder.

    The chief has prepared the folder when it calls ``prepared``.
    """
    with TemporaryDirectory(prefix="modelspec-worker-") as folder:
        copy = Run(Path(folder))
        workers.wait_for_all()
        for name in (SPEC, RECORD, HISTORY, CHECKPOINTS):
            path = run.path / name
            if path.is_dir():
                shutil.copytree(path, copy.path / name)
            elif path.exists() and (name != SPEC or run.exists()):
                shutil.copyfile(path, copy.path / name)
        workers.wait_for_all()
        yield copy


def prepared(workers: "Collectives") -> None:
    """Let the other workers copy the run, and wait until they have."""
    workers.wait_for_all()
    workers.wait_for_all()


def without_xla(source: ModelSpec, listener: Listener) -> ModelSpec:
    """The spec of a run of several workers: XLA has no collective operations on processors."""
    if source.require().spec.training.jit is True:
        listener.warn("several workers train without XLA, in spite of training.jit: true")
    return source.with_training(jit=False)
