"""The documents say what is true: tables are generated, links and commands exist.

`python -m tests.test_docs` writes the generated tables anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbbatch.cli import main
from nbbatch.magics.commands import COMMANDS
from nbbatch.magics.line import CELL_FLAGS
from nbbatch.options import table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def options_table() -> str:
    rows = ["| option | default | |", "|---|---|---|"]
    for option in table():
        default = (
            ""
            if option.default is None
            else f"`{option.default:g}`"
            if isinstance(option.default, float)
            else f"`{option.default}`"
        )
        variables = ", ".join(f"`{name}`" for name in option.environment[:1])
        text = option.help + (f" ({variables})" if variables else "")
        rows.append(f"| `{option.flag}` | {default} | {text} |")
    return "\n".join(rows)


def cell_options_table() -> str:
    rows = ["| option | |", "|---|---|"]
    for name, (metavar, text) in CELL_FLAGS.items():
        rows.append(f"| `--{name} {metavar}` | {text} |" if metavar else f"| `--{name}` | {text} |")
    return "\n".join(rows)


GENERATED = {"options": options_table, "cell options": cell_options_table}


def with_tables(text: str) -> str:
    for name, make in GENERATED.items():
        pattern = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
        text = re.sub(pattern, lambda m, t=make(): f"{m[1]}{t}\n{m[2]}", text, flags=re.DOTALL)
    return text


def test_generated_tables_are_up_to_date() -> None:
    """The README's tables are those of the table of options."""
    assert with_tables(README.read_text()) == README.read_text()


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


def test_every_command_is_in_the_readme() -> None:
    """Each command of %batch and of the terminal is documented."""
    text = README.read_text()

    assert [name for name in COMMANDS if name != "help" and f"%batch {name}" not in text] == []
    for name in ("run", "jobs", "logs", "cancel", "attach", "config", "doctor"):
        assert f"nbbatch {name}" in text


def test_terminal_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`nbbatch --help` lists the commands."""
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "run a notebook" in capsys.readouterr().out


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
