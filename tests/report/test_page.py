import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stgcn_lens import report
from stgcn_lens.runs import Run
from tests.report.conftest import EVIL, write_run

NUMBER = re.compile(r"(?<![\w.])[-\u2212]?\d+(?:\.\d+)?(?: ?%)?(?![\w.]*\d)")
LOADING = {"src", "href", "xlink:href", "srcset", "poster", "action", "data"}


class Page(HTMLParser):
    """The words of a page outside of scripts, styles and drawings; all attributes; the names of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style", "svg"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)


@pytest.fixture(scope="module")
def text(built: Run) -> str:
    return (built / "report.html").read_text()


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield path, str(key)
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


def strange_numbers(page: Page, results: dict) -> tuple[int, list[str]]:
    """How many numbers are on a page, and those that the results do not hold."""
    # Sentences repeat numbers: they must be found as numbers elsewhere. Whole matrices would match anything.
    left_out = {"headline", "sentence", "alt", "values", "counts", "why", "between_layers"}
    found = [value for path, value in leaves(results) if not left_out & set(path)]
    names = {number for value in found if isinstance(value, str) for number in NUMBER.findall(value)}
    numbers = [float(value) for value in found if isinstance(value, int | float) and not isinstance(value, bool)]

    def known(token: str) -> bool:
        if token in names:
            return True
        digits = token.replace("\u2212", "-").rstrip(" %")
        places, scale = len(digits.partition(".")[2]), 100 if token.endswith("%") else 1
        return any(f"{scale * value:.{places}f}" == digits for value in numbers)

    words = " ".join(page.words)
    for name in sorted((value for value in found if isinstance(value, str) and len(value) > 1), key=len, reverse=True):
        words = words.replace(name, " ")  # names of clips, layers, commands, versions: as they are
    tokens = NUMBER.findall(words)
    return len(tokens), [token for token in tokens if not known(token)]


def test_every_number_on_the_page_is_in_the_results(built: Run, page: Page) -> None:
    count, strange = strange_numbers(page, json.loads((built / "results.json").read_text()))
    assert count > 200
    assert strange == []


@pytest.mark.parametrize("name", ["template.html", "several.html", "studies.html", "macros.html", "tables.html"])
def test_the_template_itself_holds_no_number(name: str) -> None:
    template = (Path(report.__file__).parent / name).read_text()
    without_logic = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", template, flags=re.DOTALL)
    words = re.sub("Top-1|sha256", "", " ".join(Page(without_logic).words))  # terms that have a digit in them
    assert re.findall(r"\d+", words) == []


def test_the_page_loads_nothing(text: str, page: Page) -> None:
    loads = [(tag, name, value) for tag, name, value in page.attributes if name in LOADING]
    assert all(value.startswith(("#", "data:")) for _, _, value in loads), loads
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not re.findall(r"url\((?!#|['\"]?data:)|@import", text)
    assert "default-src 'none'" in text


def test_names_are_text_and_never_markup(text: str, page: Page, built: Run) -> None:
    assert EVIL in "".join(page.words)
    assert EVIL not in text
    assert "S001<b>" not in text
    for figure in (built / "figures").glob("*.svg"):
        assert EVIL not in figure.read_text()
    assert "<script" not in (built / "summary.md").read_text()


def test_every_figure_has_a_sentence_and_an_alternative_text(page: Page, built: Run) -> None:
    results = json.loads((built / "results.json").read_text())
    words = "".join(page.words)
    assert set(results["figures"]) == {
        *("label_error", "neighbours", "overlap", "localisation", "confusion", "training"),
        *(f"class_by_joint_block_{i}" for i in (1, 2, 3)),
    }
    drawn = {path.stem for path in (built / "figures").glob("*.svg")}
    assert drawn == {*results["figures"], "strip_1", "strip_2", "strip_3", "strip_4"}
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    for figure in results["figures"].values():
        assert figure["sentence"] in words
        assert figure["alt"] in labels


def test_choices_of_this_project_are_said_to_be_its_own(page: Page) -> None:
    words = re.sub(r"\s+", " ", "".join(page.words))
    assert "of 8 input frames (the length is ours" in words
    assert "divided by the number of windows of both before the root (ours)" in words


def test_configuration_versions_seed_hash_and_commands_are_on_the_page(page: Page) -> None:
    words = "".join(page.words)
    sha256 = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"  # of b"weights"
    wanted = ["stgcn-lens graph RUN --seed 3", "training.lr", "graph.normalise", "3.11.9", "max_flatness", sha256]
    assert [word for word in wanted if word not in words] == []


def test_equal_runs_give_equal_files_but_for_the_time(tmp_path: Path, built: Run, text: str) -> None:
    again = write_run(tmp_path / "run")
    seen: list[tuple[int, int]] = []
    report.build(again, report.ReportConfig(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 13) for i in range(14)]  # thirteen figures
    created = json.loads((built / "results.json").read_text())["created"]
    recreated = json.loads((again / "results.json").read_text())["created"]
    assert (again / "report.html").read_text() == text.replace(created, recreated)
    for path in (built / "figures").glob("*.svg"):
        assert path.read_bytes() == (again / "figures" / path.name).read_bytes()


def test_building_imports_no_torch() -> None:
    code = "import sys, stgcn_lens.report; print('torch' in sys.modules, 'streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
