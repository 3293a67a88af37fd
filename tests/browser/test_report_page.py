"""The page of an evaluation as a visitor meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from browser_page import PHONE, Page
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from datagen.codec import read_record
from datagen.video import decode_rgb
from inference.scores import Scores


def rows(page: Page) -> list[str | None]:
    return [one.get_attribute("data-row") for one in page.all(".scores tbody tr")]


def head(page: Page, metric: str):  # type: ignore[no-untyped-def]
    return page.one(f".scores th[data-metric='{metric}'] button")


def mean_of(scores: Scores, row: str, metric: str, subset: str = "all") -> float | None:
    found = (one for one in scores.summaries if (one.row, one.metric, one.subset) == (row, metric, subset))
    return next(found).mean


def cell(page: Page, row: str, metric: str) -> float:
    """A figure of the table as it stands in the page."""
    column = [one.get_attribute("data-metric") for one in page.all(".scores thead th")].index(metric)
    return float(page.all(f".scores tr[data-row='{row}'] > *")[column].get_attribute("data-value"))


def test_it_opens_without_network_and_complaints(page: Page, report_page: Path) -> None:
    page.open(report_page, "#clip=falling_a&view=mine")
    page.wait_for_player()
    assert page.requests() and all(url.startswith(("file:", "data:")) for url in page.requests())
    assert page.complaints() == []


def test_the_table_holds_the_scores(page: Page, report_page: Path) -> None:
    scores = read_record(Scores, report_page.with_name("scores.json"))
    page.open(report_page)
    for row in ("identity", "hidden", "mine"):
        mean = mean_of(scores, row, "margin")
        assert mean is not None and abs(cell(page, row, "margin") - mean) < 1e-4
    best = page.one(".scores td.best")
    assert best.find_element("xpath", "..").get_attribute("data-row") == "mine"
    assert "1 failed" in page.one(".scores tr[data-row='mine']").text


def test_columns_sort_with_the_better_first(page: Page, report_page: Path) -> None:
    page.open(report_page)
    head(page, "margin").click()
    values = [cell(page, str(row), "margin") for row in rows(page)]
    assert values == sorted(values, reverse=True) and rows(page)[-1] == "hidden"
    head(page, "margin").click()
    assert rows(page)[0] == "hidden"
    assert page.one("th[data-metric='margin']").get_attribute("aria-sort") == "ascending"


def test_groups_choose_the_columns(page: Page, report_page: Path) -> None:
    page.open(report_page)
    page.button("physics iq").click()
    columns = [one.get_attribute("data-metric") for one in page.all(".scores thead th")][1:-1]
    assert "piq_mse" in columns and "margin" not in columns
    page.button("all").click()
    assert {"margin", "piq_mse"} <= {one.get_attribute("data-metric") for one in page.all(".scores thead th")}


def test_a_head_tells_its_definition_to_mouse_and_keys(page: Page, report_page: Path) -> None:
    scores = read_record(Scores, report_page.with_name("scores.json"))
    margin = next(metric for metric in scores.metrics if metric.name == "margin")
    page.open(report_page)
    page.run("arguments[0].focus()", head(page, "margin"))
    assert margin.definition in page.one("[role=tooltip]").text
    assert head(page, "margin").get_attribute("aria-describedby") == "tip"
    page.press(Keys.ESCAPE)
    assert not page.all("[role=tooltip]")


def test_filters_count_anew(page: Page, report_page: Path) -> None:
    scores = read_record(Scores, report_page.with_name("scores.json"))
    page.open(report_page)
    Select(page.one("select[data-facet='source']")).select_by_value("kubric")
    key = next(entry.key for entry in scores.clips if entry.source == "kubric")
    assert "1 of 2 clips" in page.one(".scores ~ .hint").text
    assert [one.get_attribute("data-key") for one in page.all(".list:last-child .card")] == [key]
    mean = mean_of(scores, "identity", "margin", "source=kubric")
    assert mean is not None and abs(cell(page, "identity", "margin") - mean) < 1e-4


def test_failures_come_first_and_open(page: Page, report_page: Path) -> None:
    page.open(report_page)
    first, second = page.all(".cards.small .card")
    assert "not scored" in first.text and "missing" in first.text
    assert first.get_attribute("data-key") == "falling_b" and "margin" in second.text
    first.find_element("css selector", "a").click()
    page.wait_for_player()
    assert "Not scored: missing" in page.one(".variants").text
    assert not page.all("[data-pane='Prediction']")


def test_rows_are_compared_in_the_same_frame(page: Page, report_page: Path) -> None:
    evalset = Path(json.loads(report_page.with_name("scores.json").read_text())["data"])
    truth = decode_rgb(evalset / "ground_truth" / "falling_a" / "rgb_removed.mp4")
    hidden = decode_rgb(evalset / "ground_truth" / "falling_a" / "hidden.mp4")
    page.open(report_page, "#clip=falling_a&view=mine")
    page.wait_for_player()
    page.press(*[Keys.ARROW_RIGHT] * 5)
    page.wait_for_frame(5)

    def error(pane: str, video: np.ndarray) -> float:
        return float(np.abs(page.picture(pane, 96, 64) - video[5])[16:].mean())

    for pane in ("Truth", "Prediction"):
        assert error(pane, truth) < error(pane, hidden) / 2
    wrong = np.abs(truth[5].astype(float) - hidden[5])[16:].mean()
    assert page.picture("Error × 4", 96, 64)[16:].mean() < wrong  # of coding alone
    Select(page.one("select.variant")).select_by_value("hidden")
    assert page.frame() == 5
    assert error("Prediction", hidden) < error("Prediction", truth) / 2
    assert page.picture("Error × 4", 96, 64)[16:].mean() > 2 * wrong
    assert "view=hidden" in page.driver.current_url


def test_courses_have_a_band_and_figures_their_notes(page: Page, report_page: Path) -> None:
    page.open(report_page, "#clip=falling_a&view=identity")
    page.wait_for_player()
    page.one(".plot svg")
    for part in (
        "polygon.band",
        "polyline.truth",
        "polyline.filmed",
        "polyline.prediction",
    ):  # a level one has no height
        assert len(page.driver.find_elements("css selector", f".plot {part}")) >= 2, part
    assert "counterfactual margin" in page.one(".tables").text.lower()


def test_pairs_are_compared_in_a_table(page: Page, report_page: Path) -> None:
    page.open(report_page)
    assert "mine − hidden" in [one.text for one in page.all("section.block h3")]


def test_a_phone_has_no_sideways_scroll(page: Page, report_page: Path) -> None:
    page.open(report_page, size=PHONE)
    page.button("all").click()
    assert page.overflow() == 0
    page.open(report_page, "#clip=falling_a&view=mine", size=PHONE)
    page.wait_for_player()
    assert page.overflow() == 0
