"""What the main node of a multi-node job knows about the others, and when it ends."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbbatch.wire import keys, spec
from nbbatch.wire.spec import Failure, Outcome
from nbbatch.worker.run import distributed, report
from nbbatch.worker.run.identity import Identity, take_identity
from nbbatch.worker.run.peers import PACES, START, Peers
from nbbatch.worker.stores.directory import DirectoryStore

JOB = "20260101-000000-0123abcd"
KEY = bytes(32)
BOOM = (Failure("ValueError", "boom"),)
PACE = PACES["s3"]


class Remote(DirectoryStore):
    """A store that counts its calls, and costs what S3 costs."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.url = "s3://bucket"
        self.calls: Counter[str] = Counter()
        self.away = False
        self.clock: Callable[[], float] = time.time

    def put(self, key: str, *args: Any, **options: Any) -> bool:
        self.calls["put"] += 1
        written = super().put(key, *args, **options)
        # Its own clock's steps are too large for a test that takes no time.
        os.utime(self._path(key), (self.clock(), self.clock()))
        return written

    def get(self, key: str) -> bytes | None:
        self.calls["get"] += 1
        return super().get(key)

    def list(self, prefix: str = "") -> Any:
        self.calls["list"] += 1
        if self.away:
            raise OSError("no network")
        return super().list(prefix)


class World:
    """A job of three nodes, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.store = Remote(str(folder))
        self.now = 1000.0
        self.store.clock = lambda: self.now
        self.main = self.peers(0)

    def identity(self, node: int) -> Identity:
        return Identity(JOB, 1, f"batch#{node}", KEY, part=node, nodes=3)

    def peers(self, node: int) -> Peers:
        return Peers(self.store, self.identity(node), lambda: self.now)

    def claim(self, node: int) -> None:
        self.store.put(keys.claim(JOB, 1, node), [b"x"])

    def end(self, node: int, outcome: Outcome) -> None:
        report.write_outcome(self.store, self.identity(node), outcome)

    def pass_on(self, seconds: float) -> None:
        self.now += seconds
        self.main.turn()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_main_node_waits_for_all_outcomes(world: World) -> None:
    """It is done with waiting when the last one is there."""
    world.main.done(well=True)
    for node in (2, 1):
        assert world.main.waiting()
        world.end(node, Outcome(spec.OK))
        world.pass_on(PACE.look)
    assert not world.main.waiting()
    assert world.main.failed is None
    assert world.main.ending(Outcome(spec.OK), "", last=True) == Outcome(spec.OK)


@pytest.mark.parametrize(
    ("outcome", "code", "text"),
    [
        (Outcome(spec.ERROR, final=False, failures=BOOM), 1, "ValueError: boom"),
        (Outcome(spec.DIED, final=False, exit_code=137, signal="SIGKILL"), 137, "SIGKILL"),
        (Outcome(spec.REFUSED, what="no such module"), spec.EXIT_REFUSED, "no such module"),
    ],
)
def test_a_failure_is_passed_on(world: World, outcome: Outcome, code: int, text: str) -> None:
    """The main node ends as the other one did, so that Batch tries again where it would have."""
    world.end(2, outcome)
    world.pass_on(PACE.look)
    failed = world.main.failed
    assert failed is not None
    assert failed.text == f"node 2 of 3 failed: {text}"
    ended = world.main.ending(Outcome(spec.OK), "", last=False)
    assert (ended.status, ended.blames) == (spec.TERMINATED, 2)
    assert ended.final == outcome.final
    assert report.exit_code(ended) == code
    own = Outcome(spec.ERROR)
    assert world.main.ending(own, "", last=False) is own


def test_its_own_end_is_nobody_elses(world: World) -> None:
    """A main node that ran out of time says so, though another one did before."""
    world.end(1, Outcome(spec.TERMINATED, loss="timeout"))
    world.pass_on(PACE.look)
    assert world.main.failed is not None
    own = Outcome(spec.TERMINATED, loss="timeout")
    assert world.main.ending(own, "", last=False) is own


def test_looking_costs_little(world: World) -> None:
    """A minute costs one listing of outcomes every few seconds, however many nodes there are."""
    for node in (1, 2):
        world.claim(node)
    world.store.calls.clear()
    for _ in range(600):
        world.pass_on(0.1)
    looks = 60 / PACE.look + 60 / PACE.pulse
    assert world.store.calls["list"] <= looks + 2
    assert set(world.store.calls) == {"list"}


def test_a_node_that_falls_silent_is_dead(world: World) -> None:
    """Signs of life keep a slow node alive; without them it counts as failed."""
    slow, dead = world.peers(1), world.peers(2)
    for peers in (slow, dead):
        world.now += PACE.pulse
        peers.turn()
    world.pass_on(0)
    for _ in range(int(PACE.silence / PACE.pulse) + 2):
        world.pass_on(PACE.pulse)
        slow.turn()
    assert world.main.failed is not None
    assert world.main.failed.node == 2
    assert "said nothing" in world.main.failed.text


def test_a_slow_node_is_waited_for_as_long_as_it_lives(world: World) -> None:
    """One that never starts is not."""
    slow = world.peers(1)
    world.main.done(well=True)
    world.end(2, Outcome(spec.OK))
    for _ in range(int(2 * START / PACE.pulse)):
        world.now += PACE.pulse
        slow.turn()
        world.main.turn()
        assert world.main.waiting()
    late = world.peers(0)
    late.done(well=True)
    (Path(world.store.root) / keys.claim(JOB, 1, 1)).unlink()
    late.turn()
    world.now += START + 1
    assert not late.waiting()
    assert late.failed is not None
    assert "did not start" in late.failed.text


def test_a_main_node_that_failed_waits_only_for_who_failed_first(world: World) -> None:
    """Its job is over; what the others say within a moment may be the cause."""
    world.main.done(well=False)
    assert world.main.waiting()
    world.now += PACE.failed
    assert not world.main.waiting()
    assert world.main.failed is None


def test_a_store_out_of_reach_is_asked_again(world: World) -> None:
    """A network that is away for a while fails no job."""
    world.store.away = True
    world.pass_on(PACE.look)
    world.store.away = False
    world.end(1, Outcome(spec.ERROR))
    world.pass_on(PACE.look)
    assert world.main.failed is not None


def test_an_outcome_that_was_altered_is_a_failure(world: World) -> None:
    """A main node that read it could be made to believe anything."""
    world.end(1, Outcome(spec.OK))
    world.store.put(keys.outcome(JOB, 1, 2), [world.store.get(keys.outcome(JOB, 1, 1)) or b""])
    world.pass_on(PACE.look)
    assert world.main.failed is not None
    assert world.main.failed.node == 2
    assert "refused" in world.main.failed.text


def test_a_signal_from_outside_is_nobodys_fault(world: World) -> None:
    """A job that is cancelled while the main node waits was not done."""
    ended = world.main.ending(Outcome(spec.OK), "SIGTERM", last=True)
    assert (ended.status, ended.signal, ended.blames) == (spec.TERMINATED, "SIGTERM", None)


def environ(**changes: str) -> dict[str, str]:
    return {keys.ENV_JOB: JOB, keys.ENV_KEY: KEY.hex(), **changes}


def test_who_a_node_is() -> None:
    """The index is Batch's; a job of one node has no parts."""
    found = take_identity(
        environ(**{keys.ENV_BATCH_NODE_INDEX: "2", keys.ENV_BATCH_NUM_NODES: "3"})
    )
    assert (found.part, found.nodes, found.main, found.owner) == (2, 3, 0, f"{JOB}/2")
    alone = take_identity(
        environ(**{keys.ENV_BATCH_NODE_INDEX: "0", keys.ENV_BATCH_NUM_NODES: "1"})
    )
    assert (alone.part, alone.owner) == (None, JOB)


def test_what_torch_is_told(world: World) -> None:
    """What somebody has set already stays; the address is the one that Batch tells."""
    told = {keys.ENV_BATCH_MAIN_NODE_ADDRESS: "10.0.0.7", "LOCAL_RANK": "3"}
    distributed.tell_torch(world.identity(1), told)
    wanted = {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500", "RANK": "1", "WORLD_SIZE": "3"}
    assert {name: told[name] for name in wanted} == wanted
    assert told["LOCAL_RANK"] == "3"
    alone: dict[str, str] = {}
    distributed.tell_torch(Identity(JOB, 1, "", KEY), alone)
    assert alone == {}


def test_the_main_nodes_own_address(world: World) -> None:
    """Batch does not tell it to the main node, which finds out itself."""
    import ipaddress

    assert ipaddress.ip_address(distributed.main_address(world.identity(0), {}))
