"""Logits are bounded by the weights of the norms, and the kernel is chosen by that."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inference import attention as chosen
from inference.attention import LARGEST_LOGIT, Attention, logit_bound, suitable_kernel


def norms(gain: float, offset: float = 0.0) -> tuple[nn.LayerNorm, nn.LayerNorm]:
    """Two norms of head size 64 in bf16."""
    made = []
    for number in range(2):
        norm = nn.LayerNorm(64, eps=1e-6).bfloat16().requires_grad_(False)
        norm.weight.copy_(gain * torch.rand(64, generator=torch.Generator().manual_seed(number)))
        norm.bias.fill_(offset)
        made.append(norm)
    return made[0], made[1]


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (3.0, 0.2), (0.5, -1.0)])
def test_no_logit_passes_the_bound(gain: float, offset: float) -> None:
    norm_q, norm_k = (norm.float() for norm in norms(gain, offset))
    values = 10 ** torch.linspace(-3, 3, 512)[:, None] * torch.randn(
        512, 64, generator=torch.Generator().manual_seed(7)
    )
    values[0] = 0
    values[0, int(norm_q.weight.argmax())] = 1e4  # the vector that a norm makes longest
    logits = norm_q(values) @ norm_k(values).T / 8
    assert float(logits.abs().max()) <= logit_bound(norm_q, norm_k)


def test_the_bound_is_that_of_plain_norms() -> None:
    assert logit_bound(nn.LayerNorm(64), nn.LayerNorm(64)) == pytest.approx(8.0)  # 8 * 8 / 8


def test_large_gains_are_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert suitable_kernel(*norms(1.0)) is Attention.SDPA  # there is no GPU
    monkeypatch.setattr(chosen.torch.cuda, "is_available", lambda: True)
    assert suitable_kernel(*norms(1.0)) is Attention.BOUNDED
    assert logit_bound(*norms(4.0)) > LARGEST_LOGIT and suitable_kernel(*norms(4.0)) is Attention.SDPA
    assert suitable_kernel(*(norm.float() for norm in norms(1.0))) is Attention.SDPA  # not in bf16
