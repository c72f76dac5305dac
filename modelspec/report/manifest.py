"""A manifest for Kubernetes that trains with several workers.

An indexed Job gives each pod a number and, with a headless Service of the same name, an address.
Both are part of every cluster since version 1.31; a JobSet would have to be installed first.
"""

import json
import re
from typing import Any

import yaml

from modelspec.results.launch import Launch

_PORT = 2222
_FOLDER = "/work"
_GRACE = 120
"""The seconds between SIGTERM and SIGKILL: enough for a checkpoint."""

_PATIENCE = "900"
"""The seconds that workers wait for each other, while nodes start and images are loaded."""

_INDEX = "JOB_COMPLETION_INDEX"
_JOB = "batch.kubernetes.io/job-name"
_LONGEST = 40
_DISRUPTED = {"type": "DisruptionTarget", "status": "True"}
_INTERRUPTED, _NOT_AGAIN = [130], [2, 3]

_EDIT = """\
# Edit: IMAGE, which contains modelspec, and CLAIM, a volume that all nodes can write.
# The volume (ReadWriteMany) holds the folder with the spec and the data, and gets the run.
# SIGTERM (preemption, or a node that is drained) lets the workers save a checkpoint and exit with
# 130; their pods start again, and continue the run.
"""


def manifest(launch: Launch) -> str:
    """Return the YAML of a Service and a Job, in which image and volume must be edited."""
    parts = (_service(_name(launch)), _job(_name(launch), launch))
    return _EDIT + yaml.safe_dump_all(parts, sort_keys=False, width=10_000)


def _name(launch: Launch) -> str:
    """Return a name that is valid in host names, with room for the number of a pod."""
    name = re.sub(r"[^a-z0-9]+", "-", launch.name.lower()).strip("-")
    return (name if re.match("[a-z]", name) else f"train-{name}")[:_LONGEST].strip("-")


def _service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {_JOB: name},
            "ports": [{"name": "workers", "port": _PORT}],
        },
    }


def _job(name: str, launch: Launch) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "completionMode": "Indexed",
            "completions": launch.workers,
            "parallelism": launch.workers,
            # A lost worker ends all others, and each of their pods counts as a failure.
            "backoffLimit": launch.restarts * launch.workers,
            "podFailurePolicy": {
                "rules": [
                    _rule(
                        "Ignore", onPodConditions=[{"type": "DisruptionTarget", "status": "True"}]
                    ),
                    _rule("Ignore", onExitCodes=_exit_codes(_INTERRUPTED)),
                    _rule("FailJob", onExitCodes=_exit_codes(_NOT_AGAIN)),
                ]
            },
            # The first worker writes the run.
            "successPolicy": {"rules": [{"succeededIndexes": "0"}]},
            "template": {"spec": _pod(name, launch)},
        },
    }


def _rule(action: str, **condition: Any) -> dict[str, Any]:
    return {"action": action, **condition}


def _exit_codes(values: list[int]) -> dict[str, Any]:
    return {"containerName": "worker", "operator": "In", "values": values}


def _pod(name: str, launch: Launch) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "subdomain": name,
        "terminationGracePeriodSeconds": _GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {_JOB: name}},
            }
        ],
        "containers": [
            {
                "name": "worker",
                "image": "IMAGE",
                "workingDir": _FOLDER,
                "command": ["modelspec", *map(_literal, launch.command)],
                "env": _environment(name, launch.workers),
                "ports": [{"name": "workers", "containerPort": _PORT}],
                "volumeMounts": [{"name": "work", "mountPath": _FOLDER}],
            }
        ],
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": "CLAIM"}}],
    }


def _literal(word: str) -> str:
    """Escape a word of the command so that Kubernetes fills in no variable."""
    return word.replace("$(", "$$(")


def _environment(name: str, workers: int) -> list[dict[str, Any]]:
    """Return ``TF_CONFIG``, into which Kubernetes puts the number of the pod.

    The Job also sets the number, but after the variables here, so that they could not use it.
    """
    addresses = [f"{name}-{index}.{name}:{_PORT}" for index in range(workers)]
    cluster = json.dumps({"worker": addresses})
    task = f'{{"type": "worker", "index": $({_INDEX})}}'
    path = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    return [
        {"name": _INDEX, "valueFrom": {"fieldRef": {"fieldPath": path}}},
        {"name": "TF_CONFIG", "value": f'{{"cluster": {cluster}, "task": {task}}}'},
        {"name": "MODELSPEC_PATIENCE", "value": _PATIENCE},
    ]
