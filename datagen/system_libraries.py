"""The system libraries that Blender's wheel needs and does not bring, and whether it loads."""

from __future__ import annotations

import subprocess
import sys

PACKAGES = tuple(
    f"lib{name}" for name in ("x11-6", "xrender1", "xfixes3", "xi6", "xkbcommon0", "xext6", "sm6", "ice6", "gl1")
)
INSTALL_COMMAND = f"sudo apt-get install {' '.join(PACKAGES)}"
LOAD_TIMEOUT_S = 120.0


def blender_error() -> str:
    """Last line of what `import bpy` says in a process of its own, or "" when it works."""
    command = [sys.executable, "-c", "import bpy"]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LOAD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"import bpy took more than {LOAD_TIMEOUT_S:.0f} s"
    if result.returncode == 0:
        return ""
    return (result.stderr.strip().splitlines() or [f"import bpy ended with exit code {result.returncode}"])[-1]


def lacks_library(error: str) -> bool:
    """Whether such a line tells of a system library that is missing."""
    return "cannot open shared object" in error
