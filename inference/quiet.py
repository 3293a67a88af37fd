"""Libraries that print progress bars and notes of their own are told not to, before they are imported."""

from __future__ import annotations

import logging
import os

CHATTY = (
    "torchao",
    "torch.utils._pytree",
    "diffusers",
    "transformers",
)  # diffusers looks for torchao


def quiet_libraries() -> None:
    """Only errors from here on, and no bars."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # weights are files that the user brings; nothing is downloaded
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
