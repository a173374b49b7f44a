"""The documents say what is true: tables are generated, links and commands exist.

`python -m tests.test_docs` writes the generated tables anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from nbbatch.cli import main
from nbbatch.magics.commands import COMMANDS
from nbbatch.magics.line import CELL_FLAGS, CellLine, parse_line
from nbbatch.options import table
from tests.options.page import page, short

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def cell_options_table() -> str:
    rows = ["| option | |", "|---|---|"]
    for name, (metavar, text) in CELL_FLAGS.items():
        rows.append(f"| `--{name} {metavar}` | {text} |" if metavar else f"| `--{name}` | {text} |")
    return "\n".join(rows)


def differences_table() -> str:
    from metaflow_differences import OF_DEFINITIONS, OF_JOBS, REFUSALS

    rows = ["| what | where | why |", "|---|---|---|"]
    for where, found in (("definition", OF_DEFINITIONS), ("job", OF_JOBS)):
        rows += [f"| {d.name} | in the {where} | {d.reason} |" for d in found]
    rows += [f"| refused by {r.who} alone | before it is sent | {r.reason} |" for r in REFUSALS]
    return "\n".join(rows)


GENERATED = {
    "options": short,
    "cell options": cell_options_table,
    "all options": page,
    "differences": differences_table,
}


def with_tables(text: str) -> str:
    for name, make in GENERATED.items():
        pattern = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
        text = re.sub(pattern, lambda m, of=make: f"{m[1]}{of()}\n{m[2]}", text, flags=re.DOTALL)
    return text


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_generated_tables_are_up_to_date(path: Path) -> None:
    """What is generated is what the table of options says now."""
    assert with_tables(path.read_text()) == path.read_text()


def test_every_generated_part_is_in_a_page() -> None:
    """Each is somewhere, and every option is on the reference page."""
    text = "".join(path.read_text() for path in PAGES)

    assert all(f"<!-- {name}: begin -->" in text for name in GENERATED)
    reference = (ROOT / "docs" / "options.md").read_text()
    assert [option.name for option in table() if f"### {option.name}\n" not in reference] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_python_blocks_parse() -> None:
    """What the README shows as Python is Python, magics aside."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        lines = [line for line in block.splitlines() if not line.startswith("%")]
        compile("\n".join(lines), "README.md", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_lines_of_cells_are_taken(page: Path) -> None:
    """What is shown after ``%%batch`` is a line that it takes."""
    for line in re.findall(r"%%batch (--[^`\n]*)", page.read_text()):
        assert parse_line(line) != CellLine()


def test_every_command_is_in_the_readme() -> None:
    """Each command of %batch and of the terminal is documented."""
    text = README.read_text()

    assert [name for name in COMMANDS if name != "help" and f"%batch {name}" not in text] == []
    for name in ("run", "jobs", "logs", "cancel", "attach", "config", "doctor", "setup"):
        assert f"nbbatch {name}" in text


def test_terminal_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`nbbatch --help` lists the commands."""
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "run a notebook" in capsys.readouterr().out


if __name__ == "__main__":
    # As pytest has it: see `pythonpath` in pyproject.toml.
    sys.path.insert(0, str(ROOT / "tests" / "backends"))
    for path in PAGES:
        path.write_text(with_tables(path.read_text()))
