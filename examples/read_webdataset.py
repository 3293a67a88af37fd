"""The same from plain `webdataset`, which hands out bytes: `python examples/read_webdataset.py SHARD.tar...`."""

import json
import sys
from pathlib import Path

import torch
import webdataset

from datagen.video import decode_mask, decode_rgb

model = torch.nn.Conv3d(4, 3, 3, padding=1)
for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False).shuffle(100):
    here, videos = Path(sample["__key__"]), ("rgb_full.mp4", "rgb_removed.mp4")
    full, removed = (torch.from_numpy(decode_rgb(here, sample[name])).movedim(-1, 0) / 255 for name in videos)
    mask = torch.from_numpy(decode_mask(here, contents=sample["mask.mp4"])) / 255
    loss = (model(torch.cat([full, mask[None]])) - removed).square().mean()
    loss.backward()
    print(f"loss {loss.item():.4f}: {json.loads(sample['json'])['caption']}")
