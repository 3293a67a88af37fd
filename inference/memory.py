"""Where the three networks live: all on the GPU, one at a time, or one at a time with the transformer in fp8."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import nn

from datagen.errors import ConfigError

GIB = 2**30
MARGIN_GIB = 0.7  # the CUDA context and what the allocator cannot reuse


class MemoryMode(StrEnum):
    """What stays on the GPU."""

    FULL = "full"  # all weights, bf16
    OFFLOAD = "offload"  # the network at work, bf16; the others wait in main memory
    OFFLOAD_FP8 = "offload+fp8"  # the same, with the transformer's large matrices stored in eight bits


# docs/VOID_SPEED.md. Measured: offload (an exact step), offload+fp8 (T5). Full is the sum of measured parts while T5 is
# there, 10.4 + 0.4 + 9.0; the largest peak after that was 16.1.
PEAK_GIB = {MemoryMode.FULL: 19.8, MemoryMode.OFFLOAD: 11.3, MemoryMode.OFFLOAD_FP8: 9.1}


class HasNetworks(Protocol):
    """What `place` needs of a pipeline; the text encoder may be gone (None) once all prompts are encoded."""

    transformer: Any
    vae: Any
    text_encoder: Any
    offload: bool  # the pipeline moves each network to the device and back, for as long as it works


def need_gib(mode: MemoryMode) -> float:
    """GPU memory [GiB] that must be free for the full-size model at 384x672."""
    return PEAK_GIB[mode] + MARGIN_GIB


def check_memory(mode: MemoryMode, device: torch.device | str) -> None:
    """Raise ConfigError if the GPU has less free memory than the mode needs; to be called before loading.

    Says nothing on a CPU, where the operating system can swap. Not meant for the tiny model.
    """
    device = torch.device(device)
    if device.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise ConfigError(
            f"device {device}: PyTorch finds no CUDA GPU; choose device cpu, or install a CUDA build of torch"
        )
    free, total = (amount / GIB for amount in torch.cuda.mem_get_info(device))
    if free < need_gib(mode):
        raise ConfigError(shortage(mode, device, free, total))


def shortage(mode: MemoryMode, device: torch.device, free_gib: float, total_gib: float) -> str:
    """One line: what the mode needs, what is there, and which mode would fit."""
    needs = ", ".join(f"{other} {need_gib(other):.1f}" for other in MemoryMode)
    fitting = [str(other) for other in MemoryMode if need_gib(other) <= free_gib]
    advice = f"choose memory mode {fitting[0]}" if fitting else "free the GPU or use a larger one"
    return (
        f"memory mode {mode} needs {need_gib(mode):.1f} GiB free on {device}; {free_gib:.1f} of {total_gib:.1f} GiB "
        f"are free (needs: {needs} GiB); {advice}"
    )


def place(pipeline: HasNetworks, mode: MemoryMode, device: torch.device | str) -> None:
    """Put the pipeline's networks where the mode wants them, in place; inputs belong on `device` in every mode.

    In the offload modes all of them wait in main memory, and the pipeline brings each in for its turn. What the mode
    says of eight bits is `inference.speed.prepare`'s business.
    """
    device = torch.device(device)
    pipeline.offload = mode is not MemoryMode.FULL
    for module in (pipeline.text_encoder, pipeline.transformer, pipeline.vae):
        if module is not None:
            module.to("cpu" if pipeline.offload else device)


@contextmanager
def visiting(network: nn.Module, device: torch.device) -> Iterator[None]:
    """`network` on `device` for the time of a block; its weights wait in main memory and are not copied back."""
    homes = [
        (tensors, name, tensor, tensor.data)
        for module in network.modules()
        for tensors in (module._parameters, module._buffers)
        for name, tensor in tensors.items()
        if tensor is not None
    ]
    network.to(device)
    try:
        yield
    finally:
        for tensors, name, tensor, data in homes:
            tensor.data = data
            tensors[name] = tensor
        if device.type == "cuda":
            torch.cuda.empty_cache()
