"""What the doctor finds here, what it says where something is missing, and that it loads no engine itself."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from datagen.doctor import packages
from datagen.doctor.engines import look_at_gpus, missing_encoder
from datagen.doctor.machine import cache_error, look_at_ray, ray_error
from datagen.doctor.packages import install_command, look_at_packages, requirements_by_extra, shortfall
from datagen.doctor.records import Diagnosis, Finding, State
from datagen.doctor.report import examine, print_diagnosis
from datagen.errors import ConfigError
from datagen.gpu_kernels import compiled_kernels, parse_cards
from datagen.system_libraries import PACKAGES, lacks_library

REPOSITORY = Path(__file__).resolve().parents[2]
LACKING = "ImportError: libXrender.so.1: cannot open shared object file: No such file or directory"


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datagen.cli", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.blender
def test_this_machine_can_run() -> None:
    result = doctor("--json")
    told = json.loads(result.stdout)
    assert result.returncode == 0 and told["can_run"], result.stdout + result.stderr
    by_name = {finding["name"]: finding for finding in told["findings"]}
    assert by_name["Blender loads"]["state"] == "good" and "CPU" in by_name["Cycles"]["found"]
    assert "without tensorflow" in by_name["Kubric itself"]["found"]
    assert {"Python 3.11", "render", "CPU", "Memory", "Disk here", "Cache", "Ray", "Video coding"} <= set(by_name)


def test_no_engine_is_loaded() -> None:
    probe = (
        "import sys; from datagen.doctor.report import examine; examine();"
        "print(sorted(set(sys.modules) & {'bpy', 'pybullet', 'coacd', 'ray', 'torch', 'mujoco', 'kubric', 'rerun'}))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_an_unknown_extra_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'kubric'"):
        examine(["kubrik"])


def test_every_extra_but_dev_is_looked_at() -> None:
    declared = set(re.findall(r"^(\w+) = \[", _section("[project.optional-dependencies]"), re.MULTILINE))
    assert declared - {"dev"} <= set(packages.NEEDED_FOR)
    assert "bpy" in {one.name for one in requirements_by_extra()["render"]}
    assert "bpy" not in {one.name for one in requirements_by_extra()[""]}


def _section(head: str) -> str:
    text = (REPOSITORY / "pyproject.toml").read_text()
    return text[text.index(head) + len(head) :].split("\n[", 1)[0]


def test_a_missing_package_has_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"bpy", "kubric-nightly", "ray"}
    there = packages.installed
    monkeypatch.setattr(packages, "installed", lambda name: "" if name in absent else there(name))
    found = {finding.name: finding for finding in look_at_packages()}
    assert found["render"].state is State.MISSING and "bpy is not installed" in found["render"].found
    assert found["render"].remedy == "pip install -c constraints.txt -e '.[render]'"
    assert found["cluster"].state is State.ABSENT
    assert found["Kubric itself"].remedy == "pip install --no-deps -r requirements-nodeps.txt"
    assert {one.name: one for one in look_at_packages(("kubric",))}["Kubric itself"].state is State.MISSING


def test_outside_a_checkout_commands_name_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "CONSTRAINTS", tmp_path / "constraints.txt")
    assert install_command("view") == "pip install 'voidgen[view]'" and install_command("") == "pip install voidgen"


def test_a_version_out_of_range_is_told() -> None:
    assert "expected >=99" in shortfall(Requirement("numpy>=99"))
    assert shortfall(Requirement("numpy>=1.26")) == ""


def test_the_card_without_a_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = parse_cards(
        ["NVIDIA H100 80GB HBM3, 550.54, 81559 MiB, 9.0", "NVIDIA RTX A4000, 550.54, 16376 MiB, 8.6", "No devices"]
    )
    monkeypatch.setattr("datagen.doctor.engines.nvidia_cards", lambda: cards)
    hopper, ampere, _ = look_at_gpus()
    assert hopper.state is State.DOUBTFUL and "no kernel for it (sm_90)" in hopper.found
    assert ampere.state is State.GOOD and "sm_86" in ampere.found
    assert {"sm_75", "sm_86", "sm_89"} <= compiled_kernels()


def test_a_card_that_serves_one_process_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "datagen.doctor.engines.nvidia_cards", lambda: parse_cards(["NVIDIA L4, 550.54, 23034 MiB, 8.9"])
    )
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert [finding.remedy for finding in look_at_gpus()] == ["", "nvidia-cuda-mps-control -d"]
    assert list(look_at_gpus())[-1].found.endswith("; memory for about 8 (--workers)")
    (tmp_path / "control").touch()
    assert all(finding.state is State.GOOD for finding in look_at_gpus())


def test_no_card_is_no_error() -> None:
    findings = list(look_at_gpus())
    assert findings and all(finding.state is not State.MISSING for finding in findings)


def test_masks_can_be_coded() -> None:
    assert missing_encoder() == ""


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ray_error(f"127.0.0.1:{port}") == "" and ray_error(f"ray://127.0.0.1:{port}") == ""
    assert "nothing answers" in ray_error(f"127.0.0.1:{port}")
    assert "expected HOST:PORT" in ray_error("cluster") and "expected HOST:PORT" in ray_error("host:many")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    assert [finding.state for finding in look_at_ray()] == [State.ABSENT]


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert cache_error(tmp_path / "file" / "cache").startswith("cannot write")
    assert cache_error(tmp_path / "cache") == ""


def test_remedies_are_told_once_and_required_ones_first() -> None:
    def finding(state: State, remedy: str) -> Finding:
        return Finding(area="a", name="[b]", state=state, found="c", needed_for="d", remedy=remedy)

    findings = (
        finding(State.ABSENT, "later"),
        finding(State.MISSING, "first"),
        finding(State.MISSING, "first"),
        finding(State.GOOD, "never"),
    )
    diagnosis = Diagnosis(findings=findings)
    assert diagnosis.remedies() == ("first", "later") and not diagnosis.can_run
    plain, terminal = io.StringIO(), io.StringIO()
    print_diagnosis(diagnosis, Console(file=plain))
    assert plain.getvalue().splitlines()[0] == "absent   a: [b]: c (for d)"
    assert plain.getvalue().splitlines()[-1] == "Pairs cannot be made here yet."
    print_diagnosis(diagnosis, Console(file=terminal, force_terminal=True, width=100))
    assert "[b]" in terminal.getvalue()


def test_libraries_have_one_list() -> None:
    """Who installs by hand or in a container gets what set-up installs."""
    for name in ("README.md", "deploy/Dockerfile"):
        text = (REPOSITORY / name).read_text()
        assert not [package for package in PACKAGES if package not in text], name
    assert lacks_library(LACKING) and not lacks_library("ModuleNotFoundError: No module named 'bpy'")
