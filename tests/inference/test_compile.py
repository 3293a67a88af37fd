"""Joint blocks compute what diffusers' blocks compute."""

from __future__ import annotations

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed

from inference.compile import join_blocks


def test_joint_blocks_equal_the_stock_ones_bit_for_bit() -> None:
    torch.manual_seed(0)
    model = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=48,
        text_embed_dim=32,
        num_layers=2,
        patch_size_t=2,
        patch_bias=False,
        time_embed_dim=64,
        use_rotary_positional_embeddings=True,
    )
    model = model.bfloat16().eval().requires_grad_(False)
    for block in model.transformer_blocks:
        torch.nn.init.normal_(block.attn1.norm_q.weight, 1, 0.3)
    given = {
        "hidden_states": torch.randn(2, 4, 48, 8, 12).bfloat16(),
        "encoder_hidden_states": torch.randn(2, 5, 32).bfloat16(),
        "timestep": torch.tensor([500, 20]),
        "image_rotary_emb": get_3d_rotary_pos_embed(16, None, (4, 6), 2, grid_type="slice", max_size=(4, 6)),
        "return_dict": False,
    }
    stock = model(**given)[0]
    join_blocks(model)
    assert torch.equal(model(**given)[0], stock)
