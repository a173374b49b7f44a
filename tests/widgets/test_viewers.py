"""A saved card in what others make of a notebook: exports, and GitHub's view."""

from __future__ import annotations

import re
from typing import Any

import nbconvert
import nbformat
import pytest

from nbbatch.widgets.static import live_html, live_text, texts
from nbbatch.widgets.static.fold import folded
from tests.widgets.jobs import running
from tests.widgets.stories import LOG, rich
from tests.widgets.test_static import Tags
from tests.widgets.viewers import github

LINE = "✓ Succeeded · train · 1 m 24 s"


def saved(live: bool = False) -> Any:
    """Return a notebook whose one cell has a card: folded, or saved while it was live."""
    model = rich()
    data: dict[str, Any] = {
        "text/html": folded(model, LOG, 19_000),
        "text/plain": " — ".join([" · ".join(texts.line(model)), *texts.remarks(model)]),
    }
    if live:
        view = {"version_major": 2, "version_minor": 0, "model_id": "gone"}
        data = {"application/vnd.jupyter.widget-view+json": view}
        data.update({"text/html": live_html(running()), "text/plain": live_text(running())})
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("%%batch\ntrain()", outputs=[output])
    return nbformat.v4.new_notebook(cells=[cell])


def exported(exporter: type[nbconvert.Exporter], notebook: Any, **options: Any) -> str:
    """Return what an exporter writes."""
    text, _ = exporter(**options).from_notebook_node(notebook)
    return str(text)


def test_html_is_whole_and_loads_nothing() -> None:
    """The story and its pictures are in the page; the card itself asks no server for anything."""
    page = exported(nbconvert.HTMLExporter, saved())
    card = page[page.index("<details") : page.index("</details>")]

    assert card.count('src="data:image/png;base64,') == 7
    assert LINE in " ".join(Tags(card).text.split())
    assert not re.search(r"src=\"(?!data:)|<script|<link|<style", card)
    assert "widget-view+json" not in page


def test_html_that_is_cleaned_still_tells() -> None:
    """Without what nbconvert takes out of foreign HTML, the words are all there."""
    page = exported(nbconvert.HTMLExporter, saved(), sanitize_html=True)

    for words in ("1 m 24 s", "node 3 failed: exit code 1", "UserWarning: 119", "g5.2xlarge"):
        assert words in page


def test_markdown_keeps_the_fold() -> None:
    """Markdown takes the HTML as it is, so the renderer of the page folds it."""
    text = exported(nbconvert.MarkdownExporter, saved())

    assert text.count("<details") == 1
    assert "UserWarning: 119" in text


def test_paper_gets_the_line() -> None:
    """LaTeX has no HTML: the line of text stands there, with figures, cost and advice."""
    text = exported(nbconvert.LatexExporter, saved())

    assert "Succeeded" in text
    assert "peaked at 5 GB" in text
    assert "<details" not in text


@pytest.mark.parametrize("exporter", [nbconvert.HTMLExporter, nbconvert.MarkdownExporter])
def test_a_card_saved_in_mid_job_has_a_stand_in(exporter: type[nbconvert.Exporter]) -> None:
    """What was a live card when the notebook was saved says which job, and how to see it."""
    text = exported(exporter, saved(live=True))

    assert "%batch card 20260131-094500-1f0c2a9b" in text
    assert "needs the kernel that showed it" in text
    assert "0 %" not in text


def test_github_shows_the_line_and_the_story() -> None:
    """Styles and pictures are stripped there: what is left has every figure, in lines."""
    html = folded(rich(), LOG, 19_000)
    left = github(html)
    found = Tags(left)

    assert found.tags == {
        *("details", "summary", "b", "div", "span", "a", "code", "img", "br", "pre", "i")
    }
    assert not {"style", "src"} & set(found.attributes)
    assert found.text == Tags(html).text
    assert left.count('alt="CPU over 1 m 10 s: ') == 1
    assert left.count('title="stderr"') == html.count('title="stderr"') > 10
    assert found.attributes["href"] == {
        "https://console.example/jobs/x",
        "https://console.example/log/x",
    }
