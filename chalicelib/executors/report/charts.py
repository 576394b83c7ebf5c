"""Charts as drawings, for PDF and HTML."""

from typing import Any

from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.charts.legends import Legend
from reportlab.graphics.charts.linecharts import HorizontalLineChart
from reportlab.graphics.charts.piecharts import Pie
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import Color, HexColor

from chalicelib.executors.report.tables import Figure

WIDTH, HEIGHT = 460.0, 200.0
_COLOURS = tuple(HexColor(code) for code in ("#3366aa", "#dd8833", "#449955", "#aa4477", "#777777"))
_MAX_LABELS = 12


def drawing_of(figure: Figure, text: Any, font: str) -> Drawing:
    """The chart; `text` makes a string one that the font can show."""
    drawing = Drawing(WIDTH, HEIGHT)
    if not figure.labels:
        return drawing
    chart = _pie(figure, text, font) if figure.kind == "pie" else _axes(figure, text, font)
    drawing.add(chart)
    if figure.kind != "pie" and len(figure.series) > 1:
        drawing.add(_legend([(_colour(at), text(one.name)) for at, one in enumerate(figure.series)], font))
    return drawing


def _colour(place: int) -> Color:
    return _COLOURS[place % len(_COLOURS)]


def _axes(figure: Figure, text: Any, font: str) -> Any:
    chart = VerticalBarChart() if figure.kind == "bar" else HorizontalLineChart()
    chart.x, chart.y, chart.width, chart.height = 50, 45, WIDTH - 60, HEIGHT - 75
    chart.data = [series.numbers for series in figure.series]
    every = -(-len(figure.labels) // _MAX_LABELS)
    chart.categoryAxis.categoryNames = [
        text(label)[:16] if number % every == 0 else "" for number, label in enumerate(figure.labels)
    ]
    labels = chart.categoryAxis.labels
    labels.fontName, labels.fontSize, labels.angle, labels.boxAnchor, labels.dy = font, 6.5, 30, "ne", -2
    chart.valueAxis.labels.fontName, chart.valueAxis.labels.fontSize = font, 6.5
    _bound(chart.valueAxis, [number for series in figure.series for number in series.numbers])
    shapes = chart.bars if figure.kind == "bar" else chart.lines
    for place in range(len(figure.series)):
        if figure.kind == "bar":
            shapes[place].fillColor, shapes[place].strokeColor = _colour(place), None
        else:
            shapes[place].strokeColor, shapes[place].strokeWidth = _colour(place), 1.5
    return chart


def _bound(axis: Any, numbers: list[float]) -> None:
    """Bars begin at zero; a chart of nothing but zeros has a height too."""
    axis.valueMin = min(0.0, *numbers)
    axis.valueMax = max(0.0, *numbers) if any(numbers) else 1.0


def _pie(figure: Figure, text: Any, font: str) -> Any:
    pie = Pie()
    pie.x, pie.y, pie.width, pie.height = 150, 15, HEIGHT - 40, HEIGHT - 40
    numbers = [max(0.0, number) for number in figure.series[0].numbers]
    pie.data = numbers if any(numbers) else [1.0]
    pie.labels = [text(label)[:24] for label in figure.labels] if any(numbers) else [""]
    pie.slices.fontName, pie.slices.fontSize = font, 7
    pie.sideLabels = True
    for place in range(len(pie.data)):
        pie.slices[place].fillColor = _colour(place)
        pie.slices[place].strokeWidth = 0.3
    return pie


def _legend(pairs: list[tuple[Color, str]], font: str) -> Legend:
    legend = Legend()
    legend.x, legend.y, legend.boxAnchor = 50, HEIGHT - 2, "nw"
    legend.fontName, legend.fontSize, legend.dxTextSpace = font, 7, 4
    legend.columnMaximum, legend.deltax, legend.alignment = 1, 80, "right"
    legend.colorNamePairs = pairs
    return legend
