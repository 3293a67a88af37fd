"""How a process that serves one job begins and ends.

Exit codes: 0 done; 3 an expected failure, described in `OUT/error.json`; anything else is a crash.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datagen.codec import write_json
from datagen.errors import SceneError, VoidgenError

EXPECTED_FAILURE = 3


def serve(main: Callable[[Path, Path], None]) -> None:
    """Run `main(job, out)` on the two paths of the command line, and turn voidgen's errors into `error.json`."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python -m {getattr(sys.modules['__main__'].__spec__, 'name', 'MODULE')} JOB.json OUT")
    job, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    try:
        main(job, out)
    except VoidgenError as error:
        details = dict(error.details) if isinstance(error, SceneError) else {}
        write_json(out / "error.json", {"type": type(error).__name__, "message": str(error), "details": details})
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXPECTED_FAILURE)


@contextmanager
def silenced() -> Iterator[None]:
    """Send what C code prints to stdout into stderr (the worker's log) instead."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
