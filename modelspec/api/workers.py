"""Several workers in one training: compared, connected, and each with its own view of the run."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from modelspec.api.model_spec import ModelSpec
from modelspec.api.target import Target
from modelspec.cluster.cluster import Cluster
from modelspec.cluster.preflight import compare
from modelspec.data.shards import Data, files_of
from modelspec.language.spec import Spec
from modelspec.problems.errors import RunError
from modelspec.runs.layout import CHECKPOINTS, FITTED, HISTORY, RECORD, SPEC
from modelspec.runs.progress import Listener
from modelspec.runs.record import versions
from modelspec.runs.run import Run
from modelspec.storage.cache import key

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives


def too_many_workers(spec: Spec, workers: int, rows: int | None = None) -> str:
    """Return why so many workers cannot share a batch; empty if they can.

    ``rows`` is the number of training rows, if it is known; a batch has no more.
    """
    batch = spec.training.batch_size
    if workers > batch:
        return (
            f"{workers} workers cannot share batches of {batch} rows (training.batch_size): use at "
            f"most {batch} workers, or larger batches"
        )
    if rows is not None and workers > rows:
        return f"{workers} workers cannot share {rows} training rows"
    return ""


def _spec_without_seed(source: ModelSpec) -> str:
    """Return a key of a spec without its seed, which is compared separately."""
    data = yaml.safe_load(source.resolved_text())
    data["training"].pop("seed")
    # A key from an option comes last.
    return key(json.dumps(sorted(data.items())))


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
            "spec": _spec_without_seed(source),
            "data": facts["data"],
            "validation data": facts["validation"],
            "seed": facts["seed"],
            "models": {name: one["sha256"] for name, one in (facts["models"] or {}).items()},
            "version": versions(),
            "plugins": {plugin.name: plugin.sha256 for plugin in source.catalog.plugins},
            "list of workers": list(cluster.addresses),
        },
    )
    from modelspec.backend.workers.joining import join

    return join(cluster.addresses, cluster.index)


def connect_for_inference(cluster: Cluster, target: Target, data: Data) -> "Collectives":
    """Compare the models and the data of workers that evaluate or predict, and connect them.

    Raises:
        RunError: A worker is missing, or differs from the first.
    """
    from modelspec.backend.workers.joining import join

    compare(
        cluster,
        {
            "model": _identity(target),
            "data": {path.name: _digest(path) for path in files_of(data)},
            "version": versions(),
            "plugins": {plugin.name: plugin.sha256 for plugin in target.plugins},
            "list of workers": list(cluster.addresses),
        },
    )
    return join(cluster.addresses, cluster.index)


def _identity(target: Target) -> dict[str, Any]:
    """Return the facts that are equal for two workers with the same model."""
    files = [target.path] if target.path is not None else []
    if target.checkpoints is not None:
        files += sorted(target.checkpoints.glob("*.npz"))
    return {
        "spec": key(target.source.resolved_text()) if target.source is not None else None,
        "files": {path.name: _digest(path) for path in files},
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def follower(run: Run, workers: "Collectives") -> Iterator[Run]:
    """Yield a copy of the chief's run for another worker, which does not write to the run's folder.

    The chief has prepared the folder when it calls ``prepared``.
    """
    with TemporaryDirectory(prefix="modelspec-worker-") as folder:
        copy = Run(Path(folder))
        workers.wait_for_all()
        for name in (SPEC, RECORD, HISTORY, FITTED, CHECKPOINTS):
            path = run.path / name
            if path.is_dir():
                shutil.copytree(path, copy.path / name)
            elif path.exists() and (name != SPEC or run.exists()):
                shutil.copyfile(path, copy.path / name)
        workers.wait_for_all()
        yield copy


def prepared(workers: "Collectives") -> None:
    """Let the other workers copy the run, and wait for them."""
    workers.wait_for_all()
    workers.wait_for_all()


def devices_of(source: ModelSpec, cluster: Cluster | None) -> Sequence[str]:
    """Return the devices that share each batch; empty for a single one.

    Raises:
        RunError: There are fewer devices than the spec says, or several workers.
    """
    from modelspec.backend.workers.devices import choose_devices

    training = source.require().spec.training
    wanted = training.devices
    if cluster is None:
        devices = choose_devices(wanted)
        if len(devices) > training.batch_size and wanted != "auto":
            raise RunError(
                f"{wanted} devices cannot share batches of {training.batch_size} rows "
                "(training.batch_size)"
            )
        return devices[: training.batch_size] if training.batch_size > 1 else ()
    if wanted not in ("auto", 1):
        raise RunError(
            f"training.devices: {wanted} is for a single process; each of several workers has "
            "one device"
        )
    return ()


def for_shares(source: ModelSpec, listener: Listener, who: str) -> ModelSpec:
    """Return the spec of a run whose batches are shared among several workers or devices.

    XLA does not compile shared steps, and frozen values are not computed in advance.
    """
    training = source.require().spec.training
    for setting in ("jit", "precompute"):
        if getattr(training, setting) is True:
            listener.warn(f"training.{setting}: true changes nothing with several {who}")
    return source.with_training(jit=False, precompute=False)
