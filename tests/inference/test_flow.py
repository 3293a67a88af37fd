"""Flow points from a frame into the next one, in pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from datagen.errors import ConfigError, DataError
from inference.flow import estimate_flow
from inference.raft import FIRST, read_state


def texture(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (height, width, 3)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def test_a_known_shift_is_found() -> None:
    picture = texture(96, 160)
    video = np.stack([np.roll(picture, (2 * t, 3 * t), (0, 1)) for t in range(3)])
    flow = estimate_flow(video)
    assert flow.shape == (2, 96, 160, 2)
    assert flow.dtype == np.float32
    inside = flow[:, 16:-16, 16:-16]
    assert np.linalg.norm(inside - (3, 2), axis=-1).mean() < 0.1


def test_one_frame_has_no_flow() -> None:
    assert estimate_flow(texture(32, 48)[None]).shape == (0, 32, 48, 2)


def test_what_is_not_a_video_is_refused() -> None:
    with pytest.raises(DataError, match="optical flow"):
        estimate_flow(np.zeros((2, 32, 32), np.uint8))


def test_raft_without_its_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import torch

    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    torch.save({FIRST: torch.zeros(64, 3, 7, 7)}, tmp_path / "raft.pth")
    with pytest.raises(ConfigError, match="RAFT needs torchvision"):
        estimate_flow(texture(32, 48)[None], tmp_path / "raft.pth")


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_state(tmp_path / "none.pth")
    for name in ("torn.pth", "torn.safetensors"):
        (tmp_path / name).write_bytes(b"not weights")
        with pytest.raises(DataError, match="not a readable file of weights"):
            read_state(tmp_path / name)


@pytest.mark.parametrize("size", ["large", "small"])
def test_raft_pads_and_cuts(size: str, tmp_path: Path) -> None:
    """Untrained weights: any size comes out as the network itself gives it on the padded picture."""
    pytest.importorskip("torchvision", exc_type=ImportError, reason="torchvision is no dependency")
    import torch
    from torchvision.models import optical_flow

    torch.manual_seed(0)
    network = getattr(optical_flow, f"raft_{size}")(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    video = np.stack([np.roll(texture(100, 130), 2 * shift, 1) for shift in range(2)])
    flow = estimate_flow(video, tmp_path / "raft.pth")
    assert flow.shape == (1, 100, 130, 2) and flow.dtype == np.float32
    padded = np.pad(video, ((0, 0), (0, 28), (0, 6), (0, 0)), mode="edge")
    frames = torch.from_numpy(padded).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        direct = network(frames[:1], frames[1:])[-1][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(flow[0], direct[:100, :130], atol=1e-4)
    torch.save(
        {name: value for name, value in network.state_dict().items() if "mask" not in name and "flow" not in name},
        tmp_path / "cut.pth",
    )
    with pytest.raises(DataError, match="raft_large or raft_small"):
        estimate_flow(video, tmp_path / "cut.pth")
