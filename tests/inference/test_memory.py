"""Each mode puts the networks where it says, and too little memory is one clear line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from datagen.errors import ConfigError
from inference.memory import MemoryMode, check_memory, need_gib, place, shortage, visiting


def pipeline() -> SimpleNamespace:
    transformer = nn.Module()
    transformer.transformer_blocks = nn.ModuleList(
        [nn.ModuleDict({"ff": nn.Linear(16, 32), "norm1": nn.Linear(16, 16)})]
    )
    return SimpleNamespace(transformer=transformer.bfloat16(), vae=nn.Linear(2, 2), text_encoder=None, offload=None)


@pytest.mark.parametrize("mode", list(MemoryMode))
def test_offloading_is_the_pipelines_business(mode: MemoryMode) -> None:
    one = pipeline()
    place(one, mode, "cpu")
    assert one.offload is (mode is not MemoryMode.FULL)


@torch.inference_mode()
def test_a_network_visits_a_device_and_comes_home_uncopied() -> None:
    """ "meta" is a device of other tensors, as a GPU is; nothing could be copied back from it."""
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in network.state_dict().items()}
    with visiting(network, torch.device("meta")):
        assert all(tensor.is_meta for tensor in network.state_dict().values())
    for name, tensor in network.state_dict().items():
        pointer, values = before[name]
        assert tensor.data_ptr() == pointer and torch.equal(tensor, values)


def test_a_shortage_names_what_each_mode_needs_and_what_fits() -> None:
    line = shortage(MemoryMode.FULL, torch.device("cuda"), 16.0, 24.0)
    assert "\n" not in line
    assert all(f"{mode} {need_gib(mode):.1f}" in line for mode in MemoryMode)
    assert "choose memory mode offload" in line
    assert "free the GPU" in shortage(MemoryMode.OFFLOAD, torch.device("cuda"), 4.0, 8.0)


def test_a_gpu_without_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (16 * 2**30, 24 * 2**30))
    check_memory(MemoryMode.OFFLOAD, "cuda")
    with pytest.raises(ConfigError, match="needs"):
        check_memory(MemoryMode.FULL, "cuda")


def test_a_cpu_needs_no_check() -> None:
    check_memory(MemoryMode.FULL, "cpu")
