import numpy as np

from stgcn_lens.viz.dose import dose_response
from stgcn_lens.viz.figures import Series, svg

LEVELS = ["clean", "20", "0"]


def test_every_quantity_has_a_panel_over_the_same_levels() -> None:
    panels = {
        "top-1": [Series("net", [0.9, 0.8, 0.1], [0.8, 0.7, 0.0], [1.0, 0.9, 0.2])],
        "label error": [Series("block_1", [0.1, 0.2, 0.6]), Series("chance", [0.9] * 3, reference=True)],
        "overlap": [Series("block_1", [np.nan, 0.7, 0.2])],
    }
    figure = dose_response(LEVELS, panels, xlabel="noise (dB)")
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_ylabel() for axes in shown] == list(panels)
    for axes, series in zip(shown, panels.values(), strict=True):
        assert [text.get_text() for text in axes.get_xticklabels()] == LEVELS
        assert [line.get_label() for line in axes.lines] == [one.name for one in series]
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), series[0].values)
        assert axes.get_ylim() == (0.0, 1.02)
    assert "noise (dB)" in svg(figure, "dose", "what it shows")


def test_an_axis_reaches_below_zero_where_a_line_does() -> None:
    below = [Series("maps", [np.nan, 0.5, -0.1], [np.nan, 0.4, -0.2], [np.nan, 0.6, 0.1])]
    axes = dose_response(LEVELS, {"rank correlation": below}, xlabel="").axes[0]
    assert axes.get_ylim() == (-0.2, 1.02)
