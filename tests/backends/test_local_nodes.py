"""Multi-node jobs on the local backend: what Batch does with them, one process a node."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import stub

from nbbatch.facts import Loss, State

SAY = """
import os, time
names = ("AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_NODE_INDEX", "AWS_BATCH_JOB_NUM_NODES",
    "AWS_BATCH_JOB_MAIN_NODE_INDEX", "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS",
    "CUDA_VISIBLE_DEVICES")
print(*[os.environ.get(name, "-") for name in names], flush=True)
node = os.environ["AWS_BATCH_JOB_NODE_INDEX"]
"""
SLEEP = "time.sleep(120)\n"


def test_the_main_nodes_end_is_the_jobs(local, monkeypatch, tmp_path):
    """The others are stopped, and have failed, and the job has not; GPUs are dealt out."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    said = tmp_path / "said"
    wait = f"""
if node != "0":
    open({str(said)!r}, "x").close()
while node != "0" or not os.path.exists({str(said)!r}):
    time.sleep(0.01)
"""
    id_ = local.start(SAY + wait, nodes=2, gpu=2)
    found = local.finish(id_)

    assert (found.state, found.exit_code) == (State.SUCCEEDED, 0)
    assert [node.state for node in found.nodes] == [State.SUCCEEDED, State.FAILED]
    assert found.nodes[1].reason == "the main node has ended"
    assert local.status(f"{id_}#1") == found.nodes[1]
    logs = [list(local.backend.runner.log(name)) for name in (id_, f"{id_}#0", f"{id_}#1")]
    assert logs[0] == logs[1] == [f"{id_}#0 0 2 0 - 4,5"]
    assert logs[2] == [f"{id_}#1 1 2 0 127.0.0.1 6,4"]
    assert local.backend.runner.describe([f"{id_}#x", "none#1"]) == {}


def test_another_nodes_end_with_a_failure_is_the_jobs_too(local):
    """A main node that does not see it is ended; the reason names the node."""
    id_ = local.start(f"{SAY}\nif node == '1': os._exit(7)\n{SLEEP}", nodes=2)
    found = local.finish(id_)

    assert (found.state, found.loss, found.exit_code) == (State.FAILED, Loss.EXIT, 7)
    assert found.reason == "node 1 of 2: exit code 7"


def test_stopping_a_node_stops_its_job(local):
    """There is no job with fewer nodes than it was asked for."""
    id_ = local.start(SAY + SLEEP, nodes=2)
    local.lines(f"{id_}#1")
    local.backend.runner.stop([f"{id_}#1"], "enough")
    found = local.finish(id_)

    assert (found.loss, found.reason) == (Loss.CANCELLED, "enough")
    assert {node.state for node in found.nodes} == {State.FAILED}


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")
def test_nodes_do_not_outlive_their_supervisor(local):
    """Whoever kills the job's supervisor ends its nodes."""
    id_ = local.start(SAY + SLEEP, nodes=2)
    for node in range(2):
        local.reach(f"{id_}#{node}", State.RUNNING)
    log = Path(local.status(id_).log)
    states = [json.loads((log.parents[1] / f"node.{n}/state.json").read_text()) for n in range(2)]
    whole = json.loads((log.parents[1] / "state.json").read_text())
    os.kill(whole["supervisor"], signal.SIGKILL)
    found = local.finish(id_)

    assert found.loss is Loss.UNKNOWN
    assert {node.state for node in found.nodes} == {State.FAILED}
    gone = lambda: [
        state["worker"] for state in states if Path(f"/proc/{state['worker']}").exists()
    ]
    stub.until(gone, lambda left: not left)
