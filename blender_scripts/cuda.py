"""How a process waits for an NVIDIA card, and that it keeps its context there: CUDA's driver, without a binding.

A thread that waits for a card spins by default: a core is busy that another process could use. And Cycles lets go of
the card whenever it drops a scene, that is with every pass, where opening it anew takes longer than a small picture.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
BLOCKING_SYNC = 0x04  # CU_CTX_SCHED_BLOCKING_SYNC


@cache
def keep_context(address: str) -> bool:
    """Have this process sleep while a card works, and hold its primary context until it ends; before Cycles opens it.

    address: of the card on the PCI bus, as "0000:65:00". Returns whether it was done: without, nothing is lost but
    time.
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return False
    card, context = ctypes.c_int(), ctypes.c_void_p()
    return not (
        driver.cuInit(0)
        or driver.cuDeviceGetByPCIBusId(ctypes.byref(card), f"{address}.0".encode())
        or driver.cuDevicePrimaryCtxSetFlags_v2(card, BLOCKING_SYNC)
        or driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), card)
    )
