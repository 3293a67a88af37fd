"""Python packages: what pyproject.toml asks for, by extra, against what is installed; nothing is imported."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from datagen.doctor.records import Finding, State

PROJECT = "voidgen"
CHECKOUT = Path(__file__).resolve().parents[2]
CONSTRAINTS, NODEPS = CHECKOUT / "constraints.txt", CHECKOUT / "requirements-nodeps.txt"
KUBRIC, KUBRIC_HEAVY = "kubric-nightly", "tensorflow"
CORE = ""  # the extra of what is always installed
REQUIRED_EXTRAS = (CORE, "render")
NEEDED_FOR = {
    CORE: "everything",
    "render": "rendering (Blender), and reading recordings",
    "kubric": "collision scenes: datagen run kubric",
    "cluster": "--ray local and clusters; without it use --ray off",
    "remote": "runs at s3:// and other addresses",
    "inference": "python -m inference: VOID, baselines, evaluation",
    "train": "datagen.loader.PairDataset",
    "crosscheck": "a second engine's opinion: benchmarks/cross_engine.py",
    "view": "datagen view",
}
SHOWN = {  # the packages of an extra that tell its story; all of them are checked
    CORE: ("numpy", "pybullet", "coacd", "av"),
    "render": ("bpy",),
    "kubric": (),
    "cluster": ("ray",),
    "remote": ("s3fs",),
    "inference": ("torch", "diffusers"),
    "train": (),
    "crosscheck": ("mujoco",),
    "view": ("rerun-sdk",),
}


def look_at_python() -> Iterator[Finding]:
    """The interpreter: Blender's wheel exists for one version of Python only."""
    good = sys.version_info[:2] == (3, 11)
    found = f"{platform.python_version()} at {sys.executable}"
    remedy = "" if good else "apt-get install python3.11 python3.11-venv && make setup"
    state = State.GOOD if good else State.MISSING
    yield Finding(area="Python", name="Python 3.11", state=state, found=found, needed_for="everything", remedy=remedy)


def look_at_packages(required: tuple[str, ...] = REQUIRED_EXTRAS) -> Iterator[Finding]:
    """One finding for each extra, and one for Kubric, which comes without its dependencies."""
    wanted = requirements_by_extra()
    for extra, needed_for in NEEDED_FOR.items():
        if extra not in wanted:
            continue  # an installation older than the extra
        problems = [problem for one in wanted[extra] if (problem := shortfall(one))]
        shown = [f"{name} {installed(name)}" for name in SHOWN[extra] if installed(name)]
        bad = State.MISSING if extra in required else State.ABSENT
        yield Finding(
            area="Packages",
            name=extra or PROJECT,
            state=bad if problems else State.GOOD,
            found=", ".join([*shown, *problems]) or "installed",
            needed_for=needed_for,
            remedy=install_command(extra) if problems else "",
        )
    yield _kubric("kubric" in required)


def requirements_by_extra() -> dict[str, list[Requirement]]:
    """Requirements of the installed voidgen, by the extra that brings them; "" for those without."""
    found: dict[str, list[Requirement]] = {extra: [] for extra in (CORE,)}
    for text in requires(PROJECT) or ():
        requirement = Requirement(text)
        for extra in NEEDED_FOR:
            marker = requirement.marker
            here = marker.evaluate({"extra": extra}) if marker else True
            if here and (extra == CORE or (marker and not marker.evaluate({"extra": CORE}))):
                found.setdefault(extra, []).append(requirement)
    return found


def shortfall(requirement: Requirement) -> str:
    """What is wrong with the installed version of a package; "" if nothing is."""
    there = installed(requirement.name)
    if not there:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(there, prereleases=True):
        return f"{requirement.name} is {there}, expected {requirement.specifier}"
    return ""


def installed(name: str) -> str:
    """Version of an installed package, or ""."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def install_command(extra: str) -> str:
    """The command that brings an extra; with the tested versions where this is a checkout."""
    if CONSTRAINTS.is_file():
        return f"pip install -c constraints.txt -e '.[{extra}]'" if extra else "pip install -c constraints.txt -e ."
    return f"pip install '{PROJECT}[{extra}]'" if extra else f"pip install {PROJECT}"


def _kubric(required: bool) -> Finding:
    """Kubric itself: without tensorflow and the 170 packages that it asks for."""
    there, heavy = installed(KUBRIC), installed(KUBRIC_HEAVY)
    listed = "-r requirements-nodeps.txt" if NODEPS.is_file() else KUBRIC
    weight = f", with tensorflow {heavy}, which is not needed" if heavy else ", without tensorflow, as it should be"
    state = State.GOOD if there else State.MISSING if required else State.ABSENT
    return Finding(
        area="Packages",
        name="Kubric itself",
        state=state,
        found=f"{there}{weight}" if there else "not installed",
        needed_for=NEEDED_FOR["kubric"],
        remedy="" if there else f"pip install --no-deps {listed}",
    )
