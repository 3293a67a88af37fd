"""What Cycles computes on, and whether an engine can start here at all.

Choosing "GPU" alone does nothing: the kind of device has to be set in the add-on's preferences, the list refreshed, and
each device switched on.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import zlib
from dataclasses import dataclass

import bpy

from blender_scripts.cuda import keep_context
from datagen.entry import silenced
from datagen.errors import DataError
from datagen.settings import Device, Engine, RenderSettings

# What `auto` tries, in this order; on an H100 OptiX is faster than CUDA and takes less of the CPU (docs/GPU.md).
AUTOMATIC = (Device.OPTIX, Device.CUDA, Device.HIP, Device.METAL, Device.ONEAPI)
GPUS = tuple(device for device in Device if device not in (Device.AUTO, Device.CPU))
STATES_VARIABLE, STATES_SHARE = "CYCLES_CONCURRENT_STATES_FACTOR", "0.25"
SURFACELESS = 0x31DD  # EGL_PLATFORM_SURFACELESS_MESA


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A device that is switched on."""

    device: Device
    name: str

    def __str__(self) -> str:
        return self.name if self.device is Device.CPU else f"{self.device.upper()} {self.name}"


CPU = Taken(device=Device.CPU, name="CPU")


def take_device(settings: RenderSettings, key: str) -> Taken:
    """Switch on what the settings ask for; of several cards one, chosen by the scene's key.

    Raises `DataError` for a device that is not there; "auto" takes the first kind of GPU that is, or the CPU.
    """
    if settings.device is Device.CPU:
        return CPU
    wanted = AUTOMATIC if settings.device is Device.AUTO else (settings.device,)
    for device in wanted:
        if names := devices_of(device):
            return Taken(device=device, name=switch_on(device, zlib.crc32(key.encode()) % len(names)))
    if settings.device is Device.AUTO:
        return CPU
    there = ", ".join(["cpu", *(str(device) for device in GPUS if devices_of(device))])
    raise DataError(
        f"render.device = {settings.device}: Cycles finds no such device here, only: {there}; install its driver, or "
        "take render.device=auto"
    )


def preferences() -> bpy.types.AddonPreferences:
    """Those of Cycles."""
    return bpy.context.preferences.addons["cycles"].preferences


def devices_of(device: Device) -> list[str]:
    """Names of the GPUs of a kind that Cycles finds on this machine."""
    with silenced():
        found = preferences().get_devices_for_type(device.upper())  # the CPU comes with them
    return [one.name for one in found if one.type == device.upper()]


def switch_on(device: Device, index: int) -> str:
    """Have Cycles use the index-th device of a kind and no other; its name.

    Cycles takes memory for so many paths at once that a card holds few processes; with a quarter of that, pictures of
    few samples are as fast (docs/GPU.md).
    """
    os.environ.setdefault(STATES_VARIABLE, STATES_SHARE)
    chosen = preferences()
    with silenced():
        chosen.compute_device_type = device.upper()
        chosen.refresh_devices()
    found = [one for one in chosen.devices if one.type == device.upper()]
    for one in chosen.devices:
        one.use = one == found[index]
    if device in (Device.CUDA, Device.OPTIX):
        keep_context(pci_address(found[index].id))
    return str(found[index].name)


def pci_address(identifier: str) -> str:
    """Where an NVIDIA card is, by Cycles' name for it: "CUDA_NVIDIA H100_0000:65:00_OptiX" has "0000:65:00"."""
    return next((part for part in reversed(identifier.split("_")) if part.count(":") == 2), "")


def check_engine(engine: Engine) -> None:
    """Raise `DataError` where EEVEE would abort the process: on Linux it draws through EGL."""
    if engine is not Engine.EEVEE or platform.system() != "Linux":
        return
    library = ctypes.util.find_library("EGL")
    if library is not None and _answers(ctypes.CDLL(library)):
        return
    reason = "there is no libEGL" if library is None else "no driver answers through EGL"
    raise DataError(
        f"render.engine = eevee cannot start without a screen here: {reason}; install libegl1 and the card's driver "
        "(or libegl-mesa0, which draws on the CPU), or take render.engine=cycles"
    )


def _answers(egl: ctypes.CDLL) -> bool:
    """Whether some driver gives a display without a screen: its default one, or Mesa's without a surface."""
    egl.eglGetDisplay.restype = egl.eglGetPlatformDisplay.restype = ctypes.c_void_p
    egl.eglGetDisplay.argtypes = [ctypes.c_void_p]
    egl.eglGetPlatformDisplay.argtypes = [ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    displays = (egl.eglGetDisplay(None), egl.eglGetPlatformDisplay(SURFACELESS, None, None))
    return any(display and egl.eglInitialize(display, None, None) for display in displays)
