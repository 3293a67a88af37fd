"""One HTML file with its style, scripts and data inside, and a folder of clips beside it.

Scripts stand in the page, and clips are scripts that the page loads as it needs them: a page opened from disk may load
scripts and pictures, and may not fetch files.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from pydantic_core import to_jsonable_python

from datagen.codec import PARTIAL_SUFFIX, atomic_path, remove_tree
from datagen.errors import UserError
from datagen.web.records import Clip, PageHead

STYLE = "style.css"
TEMPLATE = "page.html.j2"
SCRIPTS = ("dom.js", "filters.js", "table.js", "plot.js", "player.js", "clip.js", "cards.js")  # in this order
CLIP_SCRIPT = "clip.js"


def write_page(out: Path, head: PageHead, data: Mapping[str, Any], scripts: Sequence[str]) -> None:
    """Write the page `out`; `scripts` of the page's own run last and find `data` as `page.data`.

    Equal contents give equal bytes.
    """
    files = {name: _asset(name) for name in (*SCRIPTS, *scripts)}
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    html = environment.from_string(_asset(TEMPLATE)).render(
        head=head, style=_asset(STYLE), scripts=files.values(), data=script_json(data)
    )
    with atomic_path(out) as partial:
        partial.write_text(html, encoding="utf-8")


def write_clip(path: Path, clip: Clip, digest: str) -> None:
    """A clip as a script; its first line names the digest of what it was made of."""
    with atomic_path(path) as partial:
        partial.write_text(f"{_first_line(digest)}\nreceiveClip({script_json(clip)});\n")


def is_current(path: Path, digest: str) -> bool:
    """Whether a clip's script is there and made of these inputs."""
    return path.is_file() and path.read_text().startswith(f"{_first_line(digest)}\n")


def own_folders(page: Path, keys: Sequence[str]) -> dict[str, Path]:
    """Where each clip of a page goes: a folder beside the page, cleared of clips that are gone and of half-made ones.

    Raises `UserError` where the page would overwrite a folder, or the clips' folder holds anything else.
    """
    if page.suffix.lower() not in (".html", ".htm") or page.is_dir():
        raise UserError(f"{page}: expected the name of a page, e.g. {page.with_suffix('.html').name}")
    root = page.with_name(f"{page.stem}_files")
    if root.is_file():
        raise UserError(f"{root} is a file; it is wanted as the folder of the page's videos: choose another --out")
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        ours = path.name.endswith(PARTIAL_SUFFIX) or _is_clip_folder(path)
        if not ours:
            raise UserError(f"{root}: wanted for the page's videos, and it holds {path.name}: choose another --out")
        if path.name not in keys:
            remove_tree(path)
    return {key: root / key for key in keys}


def _is_clip_folder(folder: Path) -> bool:
    script = folder / CLIP_SCRIPT
    return script.is_file() and script.read_text().startswith(_first_line(""))


def _first_line(digest: str) -> str:
    return f"// voidgen clip {digest}"


def script_json(data: Any) -> str:
    """JSON of plain data and records that may stand in a script element: nothing in it ends the script."""
    text = json.dumps(to_jsonable_python(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _asset(name: str) -> str:
    return (importlib.resources.files("datagen.web") / "assets" / name).read_text(encoding="utf-8")
