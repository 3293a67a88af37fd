"""Pages are whole, and keep their hands off what is not theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datagen.errors import UserError
from datagen.web.page import CLIP_SCRIPT, is_current, own_folders, script_json, write_clip, write_page
from datagen.web.records import Clip, PageHead, Tiles, Word


def clip() -> Clip:
    tiles = Tiles(file="views.mp4", fps=12, num_frames=1, width=16, height=16, pitch=(16, 16), columns=1, views=("a",))
    return Clip(key="one", caption="</script>", facts=(), video=tiles, overlays=(), variants=())


def test_nothing_in_the_data_ends_a_script() -> None:
    data = {"text": "</script><!-- & \u2028", "word": Word(text="x")}
    text = script_json(data)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["text"] == data["text"] and json.loads(text)["word"]["tone"] == ""


def test_a_page_holds_all_it_needs(tmp_path: Path) -> None:
    head = PageHead(title="<b>title</b>", lead="", facts=(("a", "b"),))
    write_page(tmp_path / "page.html", head, {"entries": []}, ("gallery.js",))
    text = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;title" in text and "<b>title" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text
    assert "src=" not in text.split("<script>")[0] and "@import" not in text


def test_a_clip_is_current_for_its_digest_alone(tmp_path: Path) -> None:
    write_clip(tmp_path / CLIP_SCRIPT, clip(), "abc")
    assert is_current(tmp_path / CLIP_SCRIPT, "abc")
    assert not is_current(tmp_path / CLIP_SCRIPT, "ab") and not is_current(tmp_path / "other.js", "abc")


def test_folders_of_clips_that_are_gone_are_removed(tmp_path: Path) -> None:
    for key in ("one", "gone"):
        write_clip(tmp_path / "page_files" / key / CLIP_SCRIPT, clip(), "abc")
    (tmp_path / "page_files" / "half.partial").mkdir()
    folders = own_folders(tmp_path / "page.html", ["one", "two"])
    assert folders == {key: tmp_path / "page_files" / key for key in ("one", "two")}
    assert [path.name for path in (tmp_path / "page_files").iterdir()] == ["one"]


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "page_files" / "holiday").mkdir(parents=True)
    with pytest.raises(UserError, match="it holds holiday"):
        own_folders(tmp_path / "page.html", [])
    assert (tmp_path / "page_files" / "holiday").is_dir()
    with pytest.raises(UserError, match="expected the name of a page"):
        own_folders(tmp_path / "page", [])
