"""Tables as a PDF: text is drawn and never read as markup, so that nothing in it is fetched or followed."""

import io
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, LongTable, PageTemplate, Spacer

from chalicelib.executors.report.charts import drawing_of
from chalicelib.executors.report.tables import Report, Table, TooMuch, Value, shown

MEDIA_TYPE = "application/pdf"
MAX_CELLS = 60_000
FONT, BOLD = "Vera", "VeraBd"
_SIZE, _LEADING, _MARGIN, _PADDING = 7.5, 9.5, 42.0, 6.0
_MAX_LINES = 6
_LINES, _HEAD = HexColor("#cccccc"), HexColor("#eef2f7")


@cache
def _register() -> dict[int, int]:
    """The fonts, which come with the library; the glyphs that both have."""
    for name in (FONT, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    glyphs: dict[int, int] = pdfmetrics.getFont(FONT).face.charToGlyph
    return glyphs


def drawable(text: str) -> str:
    """The text in letters that the font has: others without their accents, or a question mark."""
    glyphs = _register()
    if text.isascii():
        return text
    return "".join(letter for each in text for letter in _letters(each, glyphs))


def _letters(letter: str, glyphs: dict[int, int]) -> Iterator[str]:
    if ord(letter) in glyphs or letter == "\n":
        yield letter
        return
    plain = [one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one)]
    if not unicodedata.combining(letter):
        yield from (one if ord(one) in glyphs else "?" for one in plain)


def rendered(report: Report, look: Callable[[], None]) -> bytes:
    """The file. `look` is called now and then, and may raise. TooMuch for what would take minutes."""
    _register()
    cells = sum(len(table.rows) * len(table.titles) for table in report.tables)
    if cells > MAX_CELLS:
        raise TooMuch(f"A PDF has at most {MAX_CELLS} cells; these are {cells}: show fewer rows or columns.")
    file = io.BytesIO()
    size = landscape(A4) if report.landscape else A4
    document = BaseDocTemplate(
        file, pagesize=size, title=report.title, author="Chronos", subject=report.subtitle, invariant=1
    )
    frame = Frame(_MARGIN, _MARGIN, size[0] - 2 * _MARGIN, size[1] - 2 * _MARGIN - 14, 0, 0, 0, 0)
    pages = PageTemplate(frames=[frame], onPage=lambda canvas, _document: _head(canvas, report, size, look))
    document.addPageTemplates([pages])
    story: list[Flowable] = [_Text(report.title, 16, space=6), _Text(report.subtitle, 8, space=14)]
    for table in report.tables:
        look()
        story += _section(table, size[0] - 2 * _MARGIN, look)
    document.build(story, canvasmaker=_Numbered)
    return file.getvalue()


class _Text(Flowable):  # type: ignore[misc]  # the library is not typed
    """A heading, in as many lines as it needs."""

    def __init__(self, text: str, size: float, space: float) -> None:
        super().__init__()
        self._text, self._size, self._space = drawable(text), size, space
        self.keepWithNext = True

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        self._lines = _split(self._text, BOLD, self._size, width)[:4]
        return width, len(self._lines) * self._size * 1.25 + self._space

    def draw(self) -> None:
        self.canv.setFont(BOLD, self._size)
        for number, line in enumerate(self._lines, start=1):
            self.canv.drawString(0, self._space + (len(self._lines) - number) * self._size * 1.25 + 2, line)


class _Numbered(Canvas):  # type: ignore[misc]  # the library is not typed
    """Says on each page how many there are: known only at the end."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the library calls it so
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self.setFont(FONT, 7)
            self.drawRightString(self._pagesize[0] - _MARGIN, 24, f"{number} / {len(self._pages)}")
            super().showPage()
        super().save()


def _head(canvas: Canvas, report: Report, size: tuple[float, float], look: Callable[[], None]) -> None:
    look()
    canvas.setFont(FONT, 7)
    top = size[1] - 28
    title = _split(drawable(report.title), FONT, 7, size[0] / 2)
    canvas.drawString(_MARGIN, top, title[0] if title else "")
    canvas.drawRightString(size[0] - _MARGIN, top, drawable(report.subtitle))


def _section(table: Table, width: float, look: Callable[[], None]) -> list[Flowable]:
    story: list[Flowable] = [_Text(table.title, 11, space=6)]
    if table.figure is not None:
        story += [drawing_of(table.figure, drawable, FONT), Spacer(0, 8)]
    if not table.rows or not table.titles:
        return [*story, _Text("No rows.", 8, space=6)]
    widths = _widths(table, width)
    rows = [[_cell(title, BOLD, room) for title, room in zip(table.titles, widths, strict=True)]]
    for number, row in enumerate(table.rows):
        if number % 100 == 0:
            look()
        rows.append([_cell(shown(value), FONT, room) for value, room in zip(row, widths, strict=True)])
    heights = [(1 + max(cell.count("\n") for cell in row)) * _LEADING + 4 for row in rows]
    shape = LongTable(rows, widths, heights, repeatRows=1, style=_style(table.rows), hAlign="LEFT")
    return [*story, shape, Spacer(0, 14)]


def _cell(text: str, font: str, width: float) -> str:
    lines = _split(drawable(text), font, _SIZE, width - _PADDING)
    return "\n".join(lines[:_MAX_LINES]) + ("…" if len(lines) > _MAX_LINES else "")


def _split(text: str, font: str, size: float, width: float) -> list[str]:
    """Lines of this width; a word that is longer is broken."""
    if pdfmetrics.stringWidth(text, font, size) <= width and "\n" not in text:
        return [text]
    lines: list[str] = []
    for line in simpleSplit(text, font, size, width):
        while pdfmetrics.stringWidth(line, font, size) > width and len(line) > 1:
            fits = max(1, int(len(line) * width / pdfmetrics.stringWidth(line, font, size)))
            lines.append(line[:fits])
            line = line[fits:]  # noqa: PLW2901 - what is left of it
        lines.append(line)
    return lines


def _widths(table: Table, width: float) -> list[float]:
    """By the longest text of each column among its first rows, within reason."""
    wanted = [
        min(
            200.0,
            max(24.0, *(pdfmetrics.stringWidth(text[:60], BOLD, _SIZE) + _PADDING + 2 for text in texts)),
        )
        for texts in _texts(table)
    ]
    return [one * min(1.0, width / sum(wanted)) for one in wanted]


def _texts(table: Table) -> list[list[str]]:
    sample = table.rows[:200]
    return [
        [drawable(title), *(drawable(shown(row[place])) for row in sample)]
        for place, title in enumerate(table.titles)
    ]


def _style(rows: Sequence[tuple[Value, ...]]) -> list[tuple[Any, ...]]:
    numbers = [place for place in range(len(rows[0])) if _is_numeric([row[place] for row in rows])]
    return [
        ("FONT", (0, 0), (-1, -1), FONT, _SIZE, _LEADING),
        ("FONT", (0, 0), (-1, 0), BOLD, _SIZE, _LEADING),
        ("BACKGROUND", (0, 0), (-1, 0), _HEAD),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, _LINES),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING / 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING / 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        *(("ALIGN", (place, 0), (place, -1), "RIGHT") for place in numbers),
    ]


def _is_numeric(values: Sequence[Value]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, int | float | Decimal) for value in given)
