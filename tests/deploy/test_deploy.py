"""What deploy/ holds, checked as far as it can be without a cluster."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer.main
import yaml

from datagen.cli import app
from datagen.config import resolve_config
from scripts.system_libraries import PACKAGES
from tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
JOBS = ("rayjob.yaml", "rayjob-s3.yaml")


def table(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Schema of a table with these fields and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


# Fields of KubeRay's ray.io/v1, as docs/reference/api.md of ray-project/kuberay lists them, and the few of Kubernetes'
# core/v1 that are used here. An unknown field is dropped without a word by the API server: here it is an error.
TEXT, WHOLE, SWITCH = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
REFERENCE = table({"name": TEXT}, "name")
CONTAINER = table(
    {
        "name": TEXT,
        "image": TEXT,
        "resources": table({"requests": TEXTS, "limits": TEXTS}, "requests", "limits"),
        "env": {"type": "array", "items": table({"name": TEXT, "value": TEXT}, "name", "value")},
        "envFrom": {"type": "array", "items": table({"secretRef": REFERENCE}, "secretRef")},
        "volumeMounts": {"type": "array", "items": table({"name": TEXT, "mountPath": TEXT}, "name", "mountPath")},
    },
    "name",
    "image",
    "resources",
)
VOLUME = table(
    {"name": TEXT, "emptyDir": table({}), "persistentVolumeClaim": table({"claimName": TEXT}, "claimName")}, "name"
)
POD = table(
    {
        "spec": table(
            {
                "containers": {"type": "array", "items": CONTAINER, "minItems": 1},
                "volumes": {"type": "array", "items": VOLUME},
                "terminationGracePeriodSeconds": WHOLE,
            },
            "containers",
        )
    },
    "spec",
)
WORKERS = table(
    {
        "groupName": TEXT,
        "replicas": WHOLE,
        "minReplicas": WHOLE,
        "maxReplicas": WHOLE,
        "rayStartParams": TEXTS,
        "template": POD,
        "numOfHosts": WHOLE,
        "idleTimeoutSeconds": WHOLE,
        "suspend": SWITCH,
        "scaleStrategy": {"type": "object"},
    },
    "groupName",
    "minReplicas",
    "maxReplicas",
    "template",
)
CLUSTER = table(
    {
        "rayVersion": TEXT,
        "enableInTreeAutoscaling": SWITCH,
        "autoscalerOptions": table(
            {"idleTimeoutSeconds": WHOLE, "upscalingMode": {"enum": ["Default", "Aggressive", "Conservative"]}}
        ),
        "headGroupSpec": table(
            {"rayStartParams": TEXTS, "template": POD, "serviceType": TEXT, "enableIngress": SWITCH}, "template"
        ),
        "workerGroupSpecs": {"type": "array", "items": WORKERS, "minItems": 1},
        "gcsFaultToleranceOptions": {"type": "object"},
    },
    "headGroupSpec",
    "workerGroupSpecs",
)
RAY_JOB = table(
    {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayJob"},
        "metadata": REFERENCE,
        "spec": table(
            {
                "entrypoint": TEXT,
                "shutdownAfterJobFinishes": SWITCH,
                "ttlSecondsAfterFinished": WHOLE,
                "backoffLimit": WHOLE,
                "activeDeadlineSeconds": WHOLE,
                "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
                "runtimeEnvYAML": TEXT,
                "rayClusterSpec": CLUSTER,
            },
            "entrypoint",
            "rayClusterSpec",
        ),
    },
    "apiVersion",
    "kind",
    "metadata",
    "spec",
)


def job(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def templates(name: str) -> list[dict[str, Any]]:
    """Pod specs of a job."""
    cluster = job(name)["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_only_fields_that_kuberay_knows(name: str) -> None:
    jsonschema.Draft202012Validator(RAY_JOB).validate(job(name))
    broken = job(name)
    broken["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.Draft202012Validator(RAY_JOB).validate(broken)


@pytest.mark.parametrize("name", JOBS)
def test_pods_fit_together(name: str) -> None:
    cluster = job(name)["spec"]["rayClusterSpec"]
    pinned = re.search(r"^ray==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned and cluster["rayVersion"] == pinned[1]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"  # no scene dies with the head's pod
    for pod in templates(name):
        for container in pod["containers"]:
            assert container["image"] == "voidgen:cpu"
            assert container["resources"]["requests"] == container["resources"]["limits"]  # Ray plans with the limits
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted == {volume["name"] for volume in pod.get("volumes", ())}


@pytest.mark.parametrize("name", JOBS)
def test_the_entrypoint_is_a_command_that_there_is(name: str) -> None:
    program, command, *arguments = shlex.split(job(name)["spec"]["entrypoint"])
    assert (program, command) == ("datagen", "run")
    context = typer.main.get_command(app).commands["run"].make_context("run", list(arguments))  # type: ignore[attr-defined]
    assert context.params["ray"] == "auto"
    resolve_config("standard", context.params["overrides"])
    shared = [mount["mountPath"] for pod in templates(name) for mount in pod["containers"][0].get("volumeMounts", ())]
    out = str(context.params["out"])
    assert out.startswith("s3:") or shared.count(f"/{Path(out).parts[1]}") == len(templates(name))


@pytest.mark.parametrize("script", ["deploy/slurm.sbatch", "scripts/lock.sh", ".ci/run"])
def test_shell_scripts_pass_shellcheck(script: str) -> None:
    program = Path(sys.executable).with_name("shellcheck")
    result = subprocess.run([program, REPOSITORY / script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_dockerfile_passes_hadolint_and_has_all_libraries() -> None:
    program = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([program, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert result.returncode == 0 and not result.stdout, result.stdout
    text = (DEPLOY / "Dockerfile").read_text()
    assert set(PACKAGES) <= set(text.split())
    assert "AS cpu" in text and "AS cuda" in text
    copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for source in " ".join(copied).split():
        assert (REPOSITORY / source).exists() and f"!{source}" in kept


def test_the_slurm_script_says_how_it_is_used() -> None:
    result = subprocess.run(["bash", DEPLOY / "slurm.sbatch"], capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "usage: sbatch" in result.stderr
