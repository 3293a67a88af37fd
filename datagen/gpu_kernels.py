"""Compiled kernels of Cycles for NVIDIA's cards: which there are, and making one that Blender's wheel lacks.

The wheel brings machine code for most architectures, but for sm_80 (A100) and sm_90 (H100, H200) only PTX, which the
driver would compile anew before the first picture of a machine, for more than ten minutes. What `ptxas` of the CUDA
toolkit makes of the same PTX is taken instead, once it lies beside the others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from datagen.codec import partial_of
from datagen.errors import DataError, StorageError, UserError

FOLDER = "scripts/addons_core/cycles/lib"  # below the wheel's folder of one version
PTX = "kernel_compute_*.ptx.zst"
ARCHITECTURE = re.compile(r"sm_\d{2,3}")
QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader")
TIMEOUT_S = 60.0
PROCESS_MIB = 2810  # of an H100, which one that renders 672x384 takes; cards of fewer multiprocessors give less
POLL_S = 0.5
USUAL_MINUTES = (8, 15)  # sm_90 by ptxas 12.9 on one core: 8 min 13 s of CPU
LEVEL = 19  # of zstd: the wheel's own files are as small


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card, as nvidia-smi tells of it."""

    name: str
    driver: str
    memory: str
    architecture: str  # as "sm_90"

    @property
    def num_processes(self) -> int:
        """How many that render have room on it; 0 where its memory is not told in MiB."""
        size, _, unit = self.memory.partition(" ")
        return int(size) // PROCESS_MIB if unit == "MiB" and size.isdecimal() else 0


def nvidia_cards() -> list[Card]:
    """The cards of this machine; none where nvidia-smi is absent."""
    try:
        told = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=TIMEOUT_S).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_cards(told.splitlines())


def parse_cards(lines: Sequence[str]) -> list[Card]:
    """Rows of nvidia-smi's table that have all four columns."""
    rows = [[part.strip() for part in line.split(",")] for line in lines]
    return [
        Card(name=row[0], driver=row[1], memory=row[2], architecture=f"sm_{row[3].replace('.', '')}")
        for row in rows
        if len(row) == 4
    ]


def kernel_folder() -> Path | None:
    """Where Blender's wheel keeps them; None without the wheel. bpy is not loaded."""
    spec = find_spec("bpy")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []
    return next((found for folder in folders for found in sorted(folder.glob(f"*/{FOLDER}"))), None)


def compiled_kernels() -> set[str]:
    """Architectures, as "sm_86", for which there is one."""
    folder = kernel_folder()
    return {file.name.split(".")[0].removeprefix("kernel_") for file in folder.glob("kernel_sm_*")} if folder else set()


def find_ptxas() -> Path:
    """The assembler of the CUDA toolkit, from PATH, CUDA_HOME, /usr/local/cuda or NVIDIA's wheel; else `DataError`."""
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    wheel = find_spec("nvidia")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        homes += [str(path) for path in (Path(folder) / "cuda_nvcc", Path(folder) / "cu13")]
    places = [shutil.which("ptxas"), *(f"{home}/bin/ptxas" for home in homes if home)]
    for place in filter(None, places):
        if Path(place).is_file():
            return Path(place)
    raise DataError(
        "ptxas is not there, which compiles kernels (looked in PATH, CUDA_HOME and /usr/local/cuda): install the CUDA "
        "toolkit, or pip install nvidia-cuda-nvcc-cu12"
    )


def make_kernel(architecture: str, tick: Callable[[], None]) -> Path:
    """Compile Cycles for an architecture and lay the kernel beside the wheel's others; its path.

    tick is called twice a second meanwhile. Nothing is left when it fails or is interrupted. Raises `DataError` without
    Blender or ptxas, or if ptxas refuses; `StorageError` where the wheel's folder cannot be written.
    """
    if not ARCHITECTURE.fullmatch(architecture):
        raise DataError(f"'{architecture}' is no architecture; expected one like sm_90")
    folder = kernel_folder()
    sources = sorted(folder.glob(PTX)) if folder else []
    if folder is None or not sources:
        raise DataError("Blender's wheel (bpy) with its kernels is not installed: pip install 'voidgen[render]'")
    target = folder / f"kernel_{architecture}.cubin.zst"
    if not os.access(folder, os.W_OK):
        raise StorageError(f"cannot write {target}: run this as the owner of the environment")
    import zstandard  # comes with Blender; what is above must load without

    ptxas = find_ptxas()
    with tempfile.TemporaryDirectory() as scratch:
        ptx, cubin = Path(scratch) / "kernel.ptx", Path(scratch) / "kernel.cubin"
        with sources[0].open("rb") as packed, ptx.open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(packed, plain)
        assemble([str(ptxas), "-arch", architecture, "-O3", str(ptx), "-o", str(cubin)], tick)
        partial = partial_of(target)
        partial.write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(cubin.read_bytes()))
        partial.replace(target)
    return target


def assemble(command: list[str], tick: Callable[[], None]) -> None:
    """Run ptxas to its end; raises `UserError` with its last line if it fails."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while True:
            try:
                told, _ = process.communicate(timeout=POLL_S)
                break
            except subprocess.TimeoutExpired:
                tick()
    finally:
        process.kill()
    if process.returncode:
        last = (told.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"ptxas ended with exit code {process.returncode}: {last}")
