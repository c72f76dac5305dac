"""The containers of an indexed Job of Kubernetes, with the variables that the kubelet fills in."""

import re
from typing import Any

_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def pod_environment(job: Any, index: int) -> dict[str, str]:
    """Return the variables of a pod, in their order: each can use those before it."""
    values: dict[str, str] = {}
    for variable in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        if "value" in variable:
            values[variable["name"]] = _expanded(variable["value"], values)
        else:
            assert variable["valueFrom"] == {"fieldRef": {"fieldPath": _INDEX}}
            values[variable["name"]] = str(index)
    return values


def pod_command(job: Any, index: int) -> list[str]:
    values = pod_environment(job, index)
    [container] = job["spec"]["template"]["spec"]["containers"]
    return [_expanded(word, values) for word in container["command"]]


def _expanded(text: str, values: dict[str, str]) -> str:
    """Replace ``$(NAME)`` by the value of a variable, and ``$$`` by a dollar."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else values.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_]\w*)\)", value, text)
