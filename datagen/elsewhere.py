"""Call a function in another process, to see whether it returns the same there.

The process is a fresh interpreter with other hash seeds and other addresses: what depends on either, or on global state
left by earlier work, comes out differently.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from datagen.entry import PARENT_PID, die_with_parent
from datagen.errors import SceneFailed

CALL_FILE, RESULT_FILE = "call.pickle", "result.pickle"
HASH_SEED = "4711"  # any but the parent's, which is 0

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def call_elsewhere(
    function: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """What `function` returns when a new Python process calls it; function and arguments must be picklable.

    Raises `SceneFailed` when that process does not end well.
    """
    with tempfile.TemporaryDirectory() as folder:
        call = Path(folder) / CALL_FILE
        call.write_bytes(pickle.dumps((function, args, kwargs)))
        process = subprocess.run(
            [sys.executable, "-m", "datagen.elsewhere", folder],
            env={**os.environ, "PYTHONHASHSEED": HASH_SEED, PARENT_PID: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if process.returncode != 0:
            last = process.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SceneFailed(f"{function.__name__} cannot be repeated in another process: {' '.join(last)}")
        result: Result = pickle.loads((Path(folder) / RESULT_FILE).read_bytes())
        return result


def main(folder: Path) -> None:
    """Answer one call."""
    die_with_parent()
    function, args, kwargs = pickle.loads((folder / CALL_FILE).read_bytes())
    (folder / RESULT_FILE).write_bytes(pickle.dumps(function(*args, **kwargs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
