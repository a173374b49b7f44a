"""Whose output it is, where several nodes say something."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch.futures.telling.labels import Label, labels
from nbbatch.wire.frames import Frame, frame, stream


def shown(*frames: Frame, node: int = 1) -> list[Any]:
    """Mark frames and return what is left of them: texts, or data."""
    marked = Label(node).mark([*frames, frame("end", status="ok", final=True)])
    return [f.get("text", f.get("data", f["kind"])) for f in marked][:-1]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["one\ntwo\n"], ["[node 1] one\n[node 1] two\n"]),
        (["o", "ne\n"], ["[node 1] one\n"]),
        (["no end"], ["[node 1] no end\n"]),
        (["\n\n"], ["[node 1] \n[node 1] \n"]),
        (["\r 10%", "\r 20%", "\n"], ["[node 1] \r", "[node 1]  10%\r", "[node 1]  20%\n"]),
        (["a\r\nb\n"], ["[node 1] a\r\n[node 1] b\n"]),
        (["x" * 70_000], ["[node 1] " + "x" * 70_000 + "\n"]),
    ],
)
def test_each_line_says_whose_it_is(texts: list[str], wanted: list[str]) -> None:
    """Lines stay whole, however they came; one without an end is ended."""
    assert shown(*[stream("stdout", text) for text in texts]) == wanted


def test_unfinished_lines_come_before_what_follows_them() -> None:
    """The order of a node's outputs is kept."""
    bundle = {"data": {"text/plain": "42"}, "metadata": {}, "display_id": "a", "update": False}
    frames = [stream("stdout", "before"), frame("display", **bundle), stream("stdout", "after\n")]
    assert shown(*frames) == [
        "[node 1] before\n",
        {"text/plain": "[node 1] 42"},
        "[node 1] after\n",
    ]


def test_a_picture_has_a_heading() -> None:
    """What is more than text stays as it is, and a line before it says whose it is."""
    picture = {"image/png": "...", "text/plain": "<Figure>"}
    result = frame("result", data=picture, metadata={})
    assert shown(result, node=2) == ["[node 2]:\n", picture]


def test_displays_of_two_nodes_are_two() -> None:
    """An update reaches the display of its own node, whatever id both have chosen."""
    fields = {"data": {"text/html": "<b>1</b>"}, "metadata": {}, "display_id": "bar"}
    update = frame("display", **fields, update=True)
    marked = [next(label.mark([update])) for label in labels(2)]
    assert [f["display_id"] for f in marked] == ["bar#0", "bar#1"]


def test_only_the_main_node_clears() -> None:
    """Another node's `clear_output` would take away what all have shown."""
    assert shown(frame("clear", wait=True), node=0) == ["clear"]
    assert shown(frame("clear", wait=True), node=1) == []


def test_one_process_needs_no_labels() -> None:
    """A job without nodes is shown as it is."""
    assert labels(1) == []
