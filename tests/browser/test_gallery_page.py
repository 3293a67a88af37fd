"""A run's page as a visitor meets it: opened from disk, filtered, played, scrubbed, by mouse, keys and on a phone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from browser_page import PHONE, Page
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from datagen.runs import RunFolder
from datagen.video import decode_rgb

WIDTH, HEIGHT = 96, 64
ALPHA = "#clip=alpha"


def nearest(picture: np.ndarray, frames: np.ndarray) -> int:
    """The frame that a picture shows; the pane's label, in its upper left corner, is left out."""
    return int(np.abs(frames[:, 16:] - picture[None, 16:]).mean(axis=(1, 2, 3)).argmin())


def shown_keys(page: Page) -> list[str | None]:
    return [one.get_attribute("data-key") for one in page.all(".card, .line")]


def choose(page: Page, facet: str, value: str) -> None:
    Select(page.one(f"select[data-facet='{facet}']")).select_by_value(value)


def test_it_opens_without_network_and_complaints(page: Page, gallery: Path) -> None:
    page.open(gallery)
    assert shown_keys(page) == ["alpha", "beta", "gamma", "damaged", "sunken", "crashed"]
    page.one(".card a").click()
    page.wait_for_player()
    assert page.requests() and all(url.startswith(("file:", "data:")) for url in page.requests())
    assert page.complaints() == []


def test_videos_are_not_loaded_before_a_clip_is_opened(page: Page, gallery: Path) -> None:
    page.open(gallery)
    page.one(".card img")
    assert not [url for url in page.requests() if url.endswith((".mp4", "clip.js"))]
    assert page.run("return document.querySelectorAll('video').length") == 0


def test_every_still_is_there(page: Page, gallery: Path) -> None:
    page.open(gallery)
    widths = "return [...document.images].map(image => image.complete ? image.naturalWidth : 0)"
    page.until(lambda: all(width > 0 for width in page.run(widths)), "stills")
    assert len(page.run(widths)) == 6


def test_filters(page: Page, gallery: Path) -> None:
    page.open(gallery)
    choose(page, "verdict", "rejected")
    assert shown_keys(page) == ["sunken"]
    assert page.one(".count").text == "1 of 6 scenes"
    page.button("Clear").click()
    assert len(shown_keys(page)) == 6
    page.one("input[type=search]").send_keys("BET")
    assert shown_keys(page) == ["beta"]
    page.one("input[type=search]").send_keys("zzz")
    assert shown_keys(page) == [] and "Nothing matches" in page.one(".empty").text


def test_what_has_no_video_says_why(page: Page, gallery: Path) -> None:
    page.open(gallery)
    lines = {one.get_attribute("data-key"): one for one in page.all(".line")}
    assert "not a readable video" in lines["damaged"].text
    assert "exit code -9" in lines["crashed"].text
    lines["sunken"].find_element("css selector", "summary").click()
    assert "penetration_max: 31 mm, limit 8 mm" in lines["sunken"].text


def test_text_stays_text(page: Page, gallery: Path) -> None:
    page.open(gallery)
    assert "<b>bold</b>" in next(one for one in page.all(".line") if one.get_attribute("data-key") == "sunken").text
    assert page.driver.title == "run"


def test_panes_show_the_frame_that_is_named(page: Page, gallery: Path, run: RunFolder) -> None:
    videos = {
        pane: decode_rgb(run.folder("compose", "alpha") / file)
        for pane, file in (("With", "rgb_full.mp4"), ("Without", "rgb_removed.mp4"))
    }
    page.open(gallery, ALPHA)
    page.wait_for_player()
    for frame in (0, 3, 1, 5):
        page.run(
            "const slider = document.querySelector('.scrub'); slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input'))",
            frame,
        )
        page.wait_for_frame(frame)
        assert nearest(page.picture("Without", WIDTH, HEIGHT), videos["Without"]) == frame
    seen = page.picture("With", WIDTH, HEIGHT)[16:]
    errors = {pane: np.abs(seen - video[5][16:]).mean() for pane, video in videos.items()}
    assert errors["With"] < errors["Without"] / 2


def test_difference_and_mask_are_drawn(page: Page, gallery: Path, run: RunFolder) -> None:
    sample = run.folder("compose", "alpha")
    full, removed = decode_rgb(sample / "rgb_full.mp4")[5], decode_rgb(sample / "rgb_removed.mp4")[5]
    page.open(gallery, ALPHA)
    page.wait_for_player()
    page.press(*[Keys.ARROW_RIGHT] * 5)
    page.wait_for_frame(5)
    expected = np.minimum(4 * np.abs(full.astype(float) - removed), 255)
    found = page.picture("Difference × 4", WIDTH, HEIGHT)
    assert np.corrcoef(found[16:].ravel(), expected[16:].ravel())[0, 1] > 0.9
    plain, masked = page.picture("With", WIDTH, HEIGHT), page.picture("Mask", WIDTH, HEIGHT)
    stick = np.asarray(decode_rgb(sample / "mask.mp4")[5][..., 0] == 0)
    assert masked[stick][:, 0].mean() > plain[stick][:, 0].mean() + 30  # REMOVE is red
    page.button("mask").click()
    assert np.abs(page.picture("With", WIDTH, HEIGHT) - masked)[16:].mean() < 4
    page.button("mask").click()
    assert np.abs(page.picture("With", WIDTH, HEIGHT) - plain)[16:].mean() < 1


def test_it_plays_and_stops(page: Page, gallery: Path) -> None:
    page.open(gallery, ALPHA)
    page.wait_for_player()
    Select(page.one("select.speed")).select_by_value("0.5")
    page.one(".play").click()
    page.until(lambda: page.frame() >= 3, "frame 3")
    page.one(".play").click()
    page.until(lambda: page.one(".play").text == "Play", "pause")
    stopped = page.frame()
    page.press(Keys.ARROW_LEFT)
    page.wait_for_frame(max(0, stopped - 1))


def test_plots_go_with_the_video_and_seek(page: Page, gallery: Path) -> None:
    page.open(gallery, ALPHA)
    page.wait_for_player()
    plot = page.one(".plot svg")
    page.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    size = plot.size
    right = size["width"] // 2 - 14
    ActionChains(page.driver).move_to_element_with_offset(plot, right, 0).click().perform()
    page.wait_for_frame(8)
    assert "without 0.150" in page.one(".plot .legend").text  # the box lies on the floor
    page.press(Keys.HOME)
    page.wait_for_frame(0)
    assert "without 1.20" in page.one(".plot .legend").text
    assert len(page.all(".plot polyline.truth")) == 2


def test_tables_sort(page: Page, gallery: Path) -> None:
    page.open(gallery, ALPHA)
    table = "section.block:last-child"
    names = lambda: [one.text for one in page.all(f"{table} tbody th")]  # noqa: E731
    page.one(f"{table} th button").click()
    assert names() == ["box", "stand"]
    page.one(f"{table} th button").click()
    assert names() == ["stand", "box"]
    assert page.one(f"{table} thead th").get_attribute("aria-sort") == "descending"


def test_the_keyboard_does_it_all(page: Page, gallery: Path) -> None:
    page.open(gallery)
    reached = []
    for _ in range(24):
        page.press(Keys.TAB)
        reached.append(page.driver.switch_to.active_element.tag_name)
        if reached[-1] == "a" and "alpha" in page.focused():
            break
    assert reached[0] == "a" and "input" in reached and "select" in reached  # the link past all filters comes first
    page.press(Keys.ENTER)
    page.wait_for_player()
    assert page.focused() == "Play"
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.wait_for_frame(2)
    page.press(Keys.END)
    page.wait_for_frame(8)
    page.press("j")
    page.until(lambda: page.one("dialog h2").text == "beta", "the next clip")
    page.wait_for_player()
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"), "the list")
    assert "alpha" in page.focused()


def test_the_address_opens_a_clip_and_going_back_closes_it(page: Page, gallery: Path) -> None:
    page.open(gallery)
    page.all(".card a")[1].click()
    page.until(lambda: page.one("dialog h2").text == "beta", "the clip")
    page.driver.back()
    page.until(lambda: not page.all("dialog"), "the list")


def test_a_phone_has_no_sideways_scroll(page: Page, gallery: Path) -> None:
    page.open(gallery, size=PHONE)
    assert len(shown_keys(page)) == 6 and page.overflow() == 0
    page.one(".card a").click()
    page.wait_for_player()
    assert page.overflow() == 0
    small = [one.text for one in page.all("dialog button:not(.sort)") if min(one.size.values()) < 32]
    assert small == []


def test_a_page_that_lost_its_folder_says_so(page: Page, gallery: Path, tmp_path: Path) -> None:
    copy = tmp_path / gallery.name
    shutil.copy(gallery, copy)
    page.open(copy, ALPHA)
    assert "keep the page together with its folder" in page.one("[role=alert]").text


@pytest.mark.parametrize("name", ["aria-label", "alt"])
def test_what_is_drawn_has_words(page: Page, gallery: Path, name: str) -> None:
    page.open(gallery, ALPHA)
    page.wait_for_player()
    drawn = "canvas, svg[role=img]" if name == "aria-label" else "img"
    assert all(one.get_attribute(name) for one in page.driver.find_elements("css selector", drawn))
