"""What the documents say can be checked: links that resolve, commands that parse, nothing left to fill in."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from stgcn_lens.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
PAGES = [ROOT / name for name in LISTED.stdout.split()] or sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve_and_nothing_is_left_to_fill_in(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"@[A-Z0-9]+@", text)
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = re.findall(r"`((?:benchmarks|docs|stgcn_lens|analyses|app|tests|checkpoints)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_commands_of_the_readme_parse(capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^stgcn-lens (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        assert main([*shlex.split(command), "--dry-run"]) == 0, command
    capsys.readouterr()


def test_the_readme_lists_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = {
        " ".join(row.split(" ")[: 2 if row.startswith(("data ", "checkpoint ", "study ")) else 1])
        for row in re.findall(r"^\| `([^`]+)", readme, re.MULTILINE)
    }
    assert set(COMMANDS) <= rows


def test_benchmarks_that_are_claimed_exist_and_the_other_way_round() -> None:
    claimed = set(re.findall(r"benchmarks/(\w+)\.py", (ROOT / "docs" / "benchmarks.md").read_text()))
    assert claimed == {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
