"""`ray job submit` with the repository as working directory, and clusters that do not fit: one clear line each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.chaos import add_node, datagen, ray_cluster, run_command
from datagen.runs import RunFolder, read_rows
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.ray,
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
]
MARKED_VERSION = "0.0.uploaded"


@pytest.fixture
def uploaded(tmp_path: Path) -> Path:
    """A copy of the repository that says so in its version."""
    folder = tmp_path / "repository"
    for name in ("datagen", "blender_scripts", "kubric_jobs"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "datagen" / "__init__.py").open("a") as init:
        init.write(f'__version__ = "{MARKED_VERSION}"\n')
    return folder


def test_a_submitted_job_runs_the_uploaded_code_everywhere(uploaded: Path, tiny_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    command = run_command(tiny_data, root, 1, "auto")
    with ray_cluster(nodes=1, dashboard=True) as cluster:
        address = f"http://{cluster.head_node.address_info['webui_url']}"
        submit = [str(Path(sys.executable).with_name("ray")), "job", "submit", "--address", address]
        submit += ["--working-dir", str(uploaded), "--", *command]
        result, deadline = None, time.monotonic() + 120
        while result is None or ("No available agent" in result.stderr and time.monotonic() < deadline):
            result = subprocess.run(submit, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    (sample,) = RunFolder(root=root).sample_paths()
    assert json.loads((sample / "metadata.json").read_text())["versions"]["voidgen"] == MARKED_VERSION
    assert all("/" in row["node"] for row in read_rows(root / "events.jsonl"))  # by Ray's nodes, not the driver


def test_a_node_without_blender_or_the_input_is_one_line(quiet_run: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(quiet_run, root, ignore=shutil.ignore_patterns("samples", "renders", "shards", "*.jsonl"))
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text("import sys\nsys.modules['bpy'] = None\n")
    with ray_cluster(nodes=0) as cluster:
        add_node(cluster, env_vars={"PYTHONPATH": str(shim)})
        result = subprocess.run(
            datagen("render", root, "--ray", cluster.address), capture_output=True, text=True, check=False
        )
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "has no Blender (module bpy)" in line and "voidgen[render]" in line
    assert not RunFolder(root=root).failed_keys()  # no scene pays for it

    info = json.loads((root / "run.json").read_text())
    info["data"] = str(tmp_path / "elsewhere")
    (root / "run.json").write_text(json.dumps(info))
    shutil.rmtree(root / "physics")
    result = subprocess.run(datagen("simulate", root, "--ray", "off"), capture_output=True, text=True, check=False)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == 2 and f"does not see the input {tmp_path / 'elsewhere'}" in line
    assert not RunFolder(root=root).failed_keys()


def test_another_version_of_ray_is_one_line(quiet_run: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(quiet_run, root, ignore=shutil.ignore_patterns("samples", "renders", "shards", "*.jsonl"))
    code = (
        "import sys, ray\n"
        "ray.__version__ = '2.9.3'\n"
        "from benchmarks.chaos import ray_cluster\n"
        "with ray_cluster(nodes=0) as cluster:\n"
        "    print('address', cluster.address, flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    head = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert head.stdin is not None and head.stdout is not None
    try:
        lines = iter(head.stdout.readline, "")
        address = next(line.split()[1] for line in lines if line.startswith("address "))
        result = subprocess.run(datagen("render", root, "--ray", address), capture_output=True, text=True, check=False)
    finally:
        head.communicate("end\n")
    assert result.returncode == 2, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "the cluster runs Ray 2.9.3" in line and "use the same versions" in line
