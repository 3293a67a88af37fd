"""Kernels for NVIDIA's cards: told from what the wheel brings, made by ptxas, whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

zstandard = pytest.importorskip("zstandard")

from datagen import gpu_kernels  # noqa: E402
from datagen.errors import DataError, UserError  # noqa: E402
from datagen.gpu_kernels import compiled_kernels, find_ptxas, make_kernel, parse_cards  # noqa: E402

PTX = b".version 7.4\n.target sm_75\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of kernels as Blender's wheel has it, with one machine code and the PTX."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "kernel_sm_86.cubin.zst").write_bytes(b"")
    (folder / "kernel_compute_75.ptx.zst").write_bytes(zstandard.ZstdCompressor().compress(PTX))
    monkeypatch.setattr(gpu_kernels, "kernel_folder", lambda: folder)
    return folder


def ptxas(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of that name first in PATH: the toolkit is too large for tests."""
    path = folder / "ptxas"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_kernel_is_what_ptxas_makes_of_the_ptx(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ptxas -arch sm_90 -O3 IN -o OUT`; the kernel lies beside the others, packed as they are."""
    ptxas(tmp_path, monkeypatch, 'sleep 1; (echo "$1 $2"; cat "$4") > "$6"')
    ticks: list[int] = []
    made = make_kernel("sm_90", lambda: ticks.append(1))
    assert made == wheel / "kernel_sm_90.cubin.zst"
    assert zstandard.ZstdDecompressor().decompress(made.read_bytes()) == b"-arch sm_90\n" + PTX
    assert compiled_kernels() == {"sm_86", "sm_90"} and ticks


def test_nothing_is_left_when_ptxas_refuses(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ptxas(tmp_path, monkeypatch, "echo \"ptxas fatal: Value 'sm_91' is not defined\" >&2; exit 255")
    before = sorted(wheel.iterdir())
    with pytest.raises(UserError, match="exit code 255: ptxas fatal: Value 'sm_91'"):
        make_kernel("sm_91", lambda: None)
    assert sorted(wheel.iterdir()) == before


def test_bad_architecture_and_no_ptxas(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="'hopper' is no architecture; expected one like sm_90"):
        make_kernel("hopper", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    if not Path("/usr/local/cuda/bin/ptxas").is_file():
        with pytest.raises(DataError, match="install the CUDA toolkit, or pip install nvidia-cuda-nvcc"):
            find_ptxas()


def test_no_blender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_kernels, "kernel_folder", lambda: None)
    assert compiled_kernels() == set()
    with pytest.raises(DataError, match=r"pip install 'voidgen\[render\]'"):
        make_kernel("sm_90", lambda: None)


def test_cards_of_a_table() -> None:
    (card,) = parse_cards(["NVIDIA H100 80GB HBM3, 580.159.04, 81559 MiB, 9.0", "broken"])
    assert (card.name, card.driver, card.memory, card.architecture) == (
        "NVIDIA H100 80GB HBM3",
        "580.159.04",
        "81559 MiB",
        "sm_90",
    )
