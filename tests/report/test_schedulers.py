"""Scripts for Slurm and manifests for Kubernetes, against the tools' own parsers and schemas."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pods import pod_command, pod_environment

from modelspec.report.batch_script import batch_script
from modelspec.report.manifest import manifest
from modelspec.results.launch import Launch

# The long options in Slurm's documentation of sbatch.
SBATCH = """
account account-gather-freq array batch bb bbf begin chdir cluster-constraint clusters comment
constraint container container-id contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu
cpus-per-task deadline delay-boot dependency distribution error exclude exclusive export
export-file extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node
gpus-per-socket gpus-per-task gres gres-flags help hint hold ignore-pbs input job-name
kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu
mincpus network nice no-kill no-requeue nodefile nodelist nodes ntasks ntasks-per-core
ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output overcommit oversubscribe
parsable partition power prefer priority profile propagate qos quiet reboot requeue reservation
signal sockets-per-node spread-job switches test-only thread-spec threads-per-core time time-min
tmp tres-per-task uid usage use-min-nodes verbose version wait wait-all-nodes wckey wrap
"""
VERSIONS = ["1.31", "1.33", "1.37"]


def launch(*words: str, name: str = "digits", workers: int = 3, restarts: int = 0) -> Launch:
    command = ("train", "specs/digits.yaml", *words)
    return Launch(name, command, Path("/home/me/a b"), Path("runs/a"), workers, restarts)


def parts(*words: str, **options: Any) -> tuple[Any, Any]:
    service, job = yaml.safe_load_all(manifest(launch(*words, **options)))
    return service, job


@pytest.mark.process
def test_a_batch_script_is_one_for_bash(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(batch_script(launch("--run", "runs/it's $HOME")), encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    subprocess.run([shellcheck, "--severity=warning", script], check=True)


def test_a_batch_script_is_one_for_slurm() -> None:
    run = "runs/it's $HOME"
    text = batch_script(launch("--run", run, workers=7))
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.MULTILINE))
    assert len(options) == text.count("#SBATCH")
    assert options.keys() <= set(SBATCH.split())
    assert options["nodes"] == "7"
    assert shlex.split(options["chdir"]) == ["/home/me/a b"]
    [command] = re.findall(r"^ +srun (.*?)$", text.replace("\\\n", " "), re.MULTILINE)
    words = shlex.split(command)
    assert "--ntasks=7" in words
    after = words.index("modelspec") + 1
    assert words[after:] == ["train", "specs/digits.yaml", "--run", run]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_manifest_fits_the_schema_of_kubernetes(version: str) -> None:
    service, job = parts(restarts=2)
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    for part in (service, job):
        kubernetes_validate.validate(part, version, strict=True)
    job["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"] = [{"status": "True"}]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, version, strict=True)


def test_pods_find_each_other() -> None:
    service, job = parts()
    pod, name = job["spec"]["template"]["spec"], job["metadata"]["name"]
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 3
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    config = json.loads(pod_environment(job, 2)["TF_CONFIG"])
    assert config["task"] == {"type": "worker", "index": 2}
    [port] = pod["containers"][0]["ports"]
    hosts = [f"{name}-{index}.{pod['subdomain']}" for index in range(3)]
    assert config["cluster"] == {"worker": [f"{host}:{port['containerPort']}" for host in hosts]}


def test_as_many_pods_may_fail_as_restarts_need() -> None:
    limits = [parts(restarts=count)[1]["spec"]["backoffLimit"] for count in (0, 2)]
    assert limits == [0, 6]


@pytest.mark.parametrize(
    ("name", "valid"),
    [("Digits_v2", "digits-v2"), ("3d", "train-3d"), ("x" * 90, "x" * 40), ("_", "train")],
)
def test_names_of_specs_become_names_of_hosts(name: str, valid: str) -> None:
    assert [part["metadata"]["name"] for part in parts(name=name)] == [valid, valid]


def test_kubernetes_changes_no_word_of_the_command() -> None:
    words = ["--run", "runs/$(JOB_COMPLETION_INDEX)"]
    assert pod_command(parts(*words)[1], 1) == ["modelspec", "train", "specs/digits.yaml", *words]
