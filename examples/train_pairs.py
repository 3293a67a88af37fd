"""From shards to a training step, with the project's own loader: `python examples/train_pairs.py RUN`."""

import sys

import torch
from torch.utils.data import DataLoader

from datagen.loader import PairDataset, collate_pairs

model = torch.nn.Conv3d(4, 3, 3, padding=1)
optimizer = torch.optim.AdamW(model.parameters())
for batch in DataLoader(PairDataset(sys.argv[1]), batch_size=2, num_workers=2, collate_fn=collate_pairs):
    video, target = (batch[name].movedim(-1, 1) / 255 for name in ("rgb_full", "rgb_removed"))
    loss = (model(torch.cat([video, batch["quadmask"][:, None] / 255], dim=1)) - target).square().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(f"loss {loss.item():.4f}: {batch['caption'][0]}")
