import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from stgcn_lens.viz import figures, film, matrices

LAYERS = ["input", "block_1", "block_2"]
VALUES = np.array([0.6, 0.4, 0.25])


def errors() -> list[figures.Series]:
    return [
        figures.Series("kNN", VALUES, VALUES - 0.1, VALUES + 0.05),
        figures.Series("NNK", VALUES / 2, VALUES / 3, VALUES),
    ]


def test_curve_draws_the_values_their_intervals_and_chance() -> None:
    axes = figures.label_error_curve(LAYERS, errors(), [0.9, 0.9, 0.8]).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert set(drawn) == {"kNN", "NNK", "chance"}
    np.testing.assert_array_equal(drawn["kNN"], VALUES)
    np.testing.assert_array_equal(drawn["chance"], [0.9, 0.9, 0.8])
    band = axes.collections[0].get_paths()[0].vertices
    assert {0.5, 0.65} <= set(band[band[:, 0] == 0][:, 1].round(6))
    assert [text.get_text() for text in axes.get_xticklabels()] == LAYERS
    assert axes.get_ylim() == (0.0, 1.0)


def test_lines_differ_in_marker_and_dash_and_not_only_in_colour() -> None:
    series = [figures.Series(str(i), VALUES + i) for i in range(4)]
    lines = figures.curves(LAYERS, series, ylabel="y").axes[0].lines
    assert len({line.get_marker() for line in lines}) == 4
    assert len({line.get_linestyle() for line in lines}) == 4


def test_a_missing_value_leaves_a_gap() -> None:
    lines = figures.curves(LAYERS, [figures.Series("overlap", [np.nan, 0.5, 0.6])], ylabel="y").axes[0].lines
    assert np.isnan(lines[0].get_ydata()[0])


def test_heatmap_shows_the_table_and_crosses_out_what_is_missing() -> None:
    table = np.array([[0.0, 0.5, 1.0], [np.nan] * 3])
    axes = matrices.heatmap(table, ["wave", "kick"], ["head", "neck", "hand"], label="saliency").axes[0]
    image = axes.images[0]
    np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), table)
    assert image.get_clim() == (0.0, 1.0)
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[0, 1], [1, 1], [2, 1]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["wave", "kick"]


def test_confusion_colours_are_shares_of_the_true_class_and_numbers_are_counts() -> None:
    counts = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    axes = matrices.confusion(counts, ["a", "b", "never seen"]).axes[0]
    shares = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0, 1, 0], [np.nan] * 3])
    written = {tuple(int(x) for x in text.get_position()): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "3", (1, 0): "1", (1, 1): "2"}


def test_networks_of_other_depth_lie_over_each_other_at_their_own_places() -> None:
    deep = figures.Series("deep", [0.6, 0.4, 0.2], [0.5, 0.3, 0.1], [0.7, 0.5, 0.3], x=[0, 0.5, 1])
    flat = figures.Series("flat", [0.6, 0.3], x=[0, 1])
    axes = figures.depth_curves([deep, flat], ylabel="error").axes[0]
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_array_equal(drawn["deep"], [[0, 0.6], [0.5, 0.4], [1, 0.2]])
    np.testing.assert_array_equal(drawn["flat"], [[0, 0.6], [1, 0.3]])
    assert axes.get_ylim()[0] == 0
    named = figures.depth_curves([deep], ylabel="error", layers=LAYERS).axes[0]
    assert [text.get_text() for text in named.get_xticklabels()] == LAYERS
    np.testing.assert_array_equal(named.get_xticks(), [0, 0.5, 1])


def test_points_stand_over_their_names_with_their_intervals() -> None:
    found = figures.points(
        ["a", "b"], [figures.Series("top-1", [0.5, 0.75], [0.25, 0.5], [1.0, 0.875])], ylabel="share"
    )
    axes = found.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 0.5], [1, 0.75]])
    ends = [part.vertices[:, 1].tolist() for part in axes.collections[0].get_paths()]
    assert ends == [[0.25, 1.0], [0.5, 0.875]]


def test_numbers_are_written_into_a_table_where_there_are_any() -> None:
    table = np.array([[0.25, np.nan], [1.0, 0.5]])
    axes = matrices.heatmap(table, ["a", "b"], ["c", "d"], label="x", numbers=True).axes[0]
    written = {tuple(int(x) for x in text.get_position()): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "0.25", (0, 1): "1.00", (1, 1): "0.50"}


def test_training_curve_has_a_panel_for_each_quantity() -> None:
    panels = {"loss": [figures.Series("train", [2.0, 1.0])], "accuracy": [figures.Series("train", [0.1, 0.7])]}
    figure = figures.training_curve([1, 2], panels)
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xydata(), [[1, 0.1], [2, 0.7]])


def test_film_strip_draws_present_bodies_only_with_saliency_as_colour_and_radius() -> None:
    points = np.arange(2 * 3 * 2 * 2, dtype=float).reshape(2, 3, 2, 2)
    valid = np.array([[True, False], [True, True]])
    saliency = np.zeros((2, 3, 2))
    saliency[0, 1, 0] = 1.0
    bones = [(1, 0), (2, 1)]
    first, second = film.film_strip(points, valid, bones, saliency=saliency, captions=["0 s", "1 s"]).axes
    assert (len(first.collections), len(second.collections)) == (1, 2)
    joints = first.collections[0]
    np.testing.assert_array_equal(joints.get_offsets()[-1], points[0, 1, :, 0])  # drawn last, on top
    np.testing.assert_array_equal(joints.get_array(), [0, 0, 1])
    assert joints.get_sizes()[-1] > 3 * joints.get_sizes()[0]
    np.testing.assert_array_equal(first.lines[0].get_xydata()[:2], points[0, [1, 0], :, 0])
    assert first.get_xlim() == second.get_xlim()
    assert [axes.get_xlabel() for axes in (first, second)] == ["0 s", "1 s"]


def test_equal_figures_give_equal_text_without_a_date() -> None:
    texts = [figures.svg(figures.label_error_curve(LAYERS, errors(), [0.9] * 3), "curve", "alt") for _ in range(2)]
    assert texts[0] == texts[1]
    assert "date" not in texts[0].lower()


@pytest.mark.parametrize("on_page", [False, True])
def test_svg_is_xml_with_escaped_alternative_text_and_real_text(on_page: bool) -> None:
    figure = matrices.heatmap(np.eye(2), ["<b>&", "$x$"], ["head", "neck"], label="saliency")
    text = figures.svg(figure, "table", 'five < "six" & more')
    text = figures.inline(text, "table") if on_page else text
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == 'five < "six" & more'
    assert root.attrib["role"] == "img"
    words = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"<b>&", "$x$", "head", "saliency"} <= words


def test_inline_svg_follows_the_page_and_keeps_its_ids_to_itself() -> None:
    def drawn(name: str) -> str:
        return figures.inline(figures.svg(figures.curves(LAYERS, errors(), ylabel="y"), name, "alt"), name)

    one, two = drawn("one"), drawn("two")
    assert "currentColor" in one
    assert "#ffffff" not in one
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, two)]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', one))
    assert used
    assert used <= ids[0]
