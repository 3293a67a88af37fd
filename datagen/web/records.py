"""What a page shows, as records. Python decides what is shown and in which words; the scripts of the page only draw it.

A page holds a list of `Entry`s. One that can be opened has a script of its own, which holds a `Clip` and is loaded when
it is wanted: so a page of hundreds of clips opens at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Tone(StrEnum):
    """How a word is meant, which a page may colour."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    NOTE = "note"
    FAINT = "faint"


class Role(StrEnum):
    """What a curve is of; its colour and dashes follow from it."""

    FILMED = "filmed"
    TRUTH = "truth"
    PREDICTION = "prediction"


@dataclass(frozen=True, kw_only=True)
class Word:
    """A cell of a table or a chip: text, what it sorts by, and how it is meant."""

    text: str
    value: float | None = None  # None: sorts by its text
    tone: Tone = Tone.PLAIN
    title: str = ""  # more, shown on hovering and read out


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose columns can be sorted."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Word, ...], ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve, a value for every frame; None where there is none."""

    name: str
    role: Role
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Curves over time, and the band between the least and the greatest of perturbed outcomes."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    low: tuple[float | None, ...] = ()  # empty: no band
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlotGroup:
    """The plots of one object."""

    name: str
    plots: tuple[Plot, ...]


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """A video that holds several views of one clip beside and below each other, so that they cannot get out of step."""

    file: str
    fps: float
    num_frames: int
    width: int  # of a view
    height: int
    pitch: tuple[int, int]  # pixels from one view to the next, across and down
    columns: int
    views: tuple[str, ...]  # in reading order

    @property
    def rows(self) -> int:
        """Views below each other."""
        return -(-len(self.views) // self.columns)


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A view to lay over others: a white-on-black matte drawn in `color`, or colours on black with a matte."""

    name: str
    view: str
    title: str
    color: str = ""
    matte: str = ""  # view; "": `view` is one itself
    legend: tuple[tuple[str, str], ...] = ()  # name and colour


@dataclass(frozen=True, kw_only=True)
class Pane:
    """A picture of the player: a view, or its difference to another."""

    title: str
    view: str
    against: str = ""  # view to show the amplified difference to
    overlay: str = ""  # name of an overlay that is always on; "": those that are switched on


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One choice of what to look at in a clip, e.g. one model's prediction."""

    name: str
    note: str = ""
    tone: Tone = Tone.PLAIN
    panes: tuple[Pane, ...] = ()
    plots: tuple[PlotGroup, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Clip:
    """All that is shown of one clip once it is opened."""

    key: str
    caption: str
    facts: tuple[tuple[str, str], ...]
    video: Tiles
    overlays: tuple[Overlay, ...]
    variants: tuple[Variant, ...]  # at least one
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Poster:
    """A still picture."""

    file: str
    alt: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line or card of a page."""

    key: str
    kind: str  # "clip", or the title of the list that it stands in
    caption: str
    chips: tuple[Word, ...] = ()
    facets: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what it is found by
    posters: tuple[Poster, ...] = ()
    script: str = ""  # file that holds its clip; "": cannot be opened
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PageHead:
    """Top of a page."""

    title: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
