"""VMAF, by the libvmaf of the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np

TIMEOUT_S = 600
LOG = "log.json"
SMALLEST_SIDE = 32  # below it libvmaf's pyramid has no last level


@functools.cache
def has_vmaf() -> bool:
    """Whether this ffmpeg can compute it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-filters"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    return " libvmaf " in listed.stdout


def vmaf(prediction: np.ndarray, truth: np.ndarray, fps: float) -> tuple[float, str]:
    """Mean VMAF over frames, 0 to 100, of two videos uint8 [num_frames, height, width, 3]; nan and why without one.

    The model is ffmpeg's default, vmaf_v0.6.1, made for 1080p seen on a television: good to compare, not to quote.
    """
    if not has_vmaf():
        return float("nan"), "not computed: this ffmpeg has no libvmaf"
    if min(truth.shape[1:3]) < SMALLEST_SIDE:
        return float("nan"), f"not computed: smaller than {SMALLEST_SIDE} pixels"
    with tempfile.TemporaryDirectory(prefix="voidgen-vmaf-") as folder:
        root = Path(folder)
        (root / "prediction").write_bytes(np.ascontiguousarray(prediction).data)
        (root / "truth").write_bytes(np.ascontiguousarray(truth).data)
        command = _command(truth.shape[2], truth.shape[1], fps)
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        if done.returncode != 0:
            return float("nan"), f"not computed: ffmpeg failed: {done.stderr.strip()[-200:]}"
        return float(json.loads((root / LOG).read_text())["pooled_metrics"]["vmaf"]["mean"]), ""


def _command(width: int, height: int, fps: float) -> list[str]:
    inputs: list[str] = []
    for name in ("prediction", "truth"):
        inputs += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", name]
    graph = f"[0]format=yuv420p[a];[1]format=yuv420p[b];[a][b]libvmaf=log_fmt=json:log_path={LOG}:n_threads=1"
    start = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-threads", "1", "-filter_threads", "1"]
    return [*start, *inputs, "-lavfi", graph, "-f", "null", "-"]
