"""Nodes and children as cells of a grid."""

from __future__ import annotations

from nbbatch.facts import NodeFacts, State, Usage
from nbbatch.widgets.model import card_model
from nbbatch.widgets.model.parts import MAX_CELLS, Part, arranged, parts
from tests.widgets.jobs import GB, START, running, waiting


def nodes(*states: State) -> tuple[NodeFacts, ...]:
    return tuple(NodeFacts(state=state) for state in states)


def test_a_job_of_one_has_no_parts() -> None:
    """The grid is for those that have several; the card's model has it from the facts."""
    assert parts(waiting()) is None
    assert parts(waiting(nodes=nodes(State.RUNNING))) is None
    facts = running(nodes=nodes(State.RUNNING, State.STARTING))
    assert card_model(facts, START).parts == parts(facts)


def test_failed_nodes_come_first() -> None:
    """Then by index; the counts are in the order of the states, and tell of all."""
    seen = parts(running(nodes=nodes(State.RUNNING, State.SUCCEEDED, State.FAILED, State.RUNNING)))

    assert seen is not None
    assert seen.kind == "node"
    assert seen.counts == (("Running", 2), ("Succeeded", 1), ("Failed", 1))
    assert [(cell.index, cell.mark, cell.tone) for cell in seen.cells] == [
        (2, "✗", "bad"),
        (0, "●", "running"),
        (1, "✓", "ok"),
        (3, "●", "running"),
    ]


def test_a_node_tells_of_itself_in_one_line() -> None:
    """Why it ended, where it ran, how long, its memory; clean, cut, and only what is known."""
    usage = Usage(1.0, 3 * GB, 16 * GB)
    busy = NodeFacts(State.RUNNING, {"host": "ip-10-0-0-7"}, START, usage=usage)
    dead = NodeFacts(
        State.FAILED, {}, START, START + 72, "exit\x1b[31m code\n 1" + "!" * 500, peak=usage
    )
    seen = parts(running(nodes=(busy, dead, NodeFacts())))

    assert seen is not None
    failed, live, fresh = (cell.text for cell in seen.cells)
    assert failed.startswith("exit code 1!!")
    assert len(failed) == 160
    assert live == "ip-10-0-0-7 · memory 3 GB of 16 GB"
    assert fresh == ""


def test_the_grid_is_bounded() -> None:
    """Thousands of parts are counted, and a thousand of them shown: the failed ones among them."""
    many = [Part(i, "●", "Running", "running") for i in range(MAX_CELLS)]
    failed = Part(MAX_CELLS, "✗", "Failed", "bad", "it broke")
    seen = arranged("child", [*many, failed])

    assert seen.counts == (("Running", MAX_CELLS), ("Failed", 1))
    assert len(seen.cells) == MAX_CELLS
    assert seen.cells[0] == failed


def test_many_nodes_weigh_little() -> None:
    """Of hundreds of nodes only the failed ones bring a text: the page gets all at each change."""
    state = [State.RUNNING] * 300 + [State.FAILED]
    seen = parts(running(nodes=tuple(NodeFacts(each, {"host": "h"}) for each in state)))

    assert seen is not None
    assert [cell.text for cell in seen.cells if cell.text] == ["h"]
