"""A job from the past: objects that an earlier version wrote must stay readable.

`tests/wire/golden/` was written by `python -m tests.wire.test_golden`. Where a change of the
format makes this test fail on purpose, raise `nbbatch.wire.VERSION` and write the files anew.
"""

from __future__ import annotations

from pathlib import Path

from nbbatch.wire import VERSION, graph, parts, spec
from nbbatch.wire.envelope import Stamp, job_key, unseal
from nbbatch.wire.frames import decode, encode
from nbbatch.wire.spec import Failure, JobSpec, Outcome
from nbbatch.worker.stores.directory import DirectoryStore

GOLDEN = Path(__file__).parent / "golden"
JOB = "20260101-000000-0123abcd"
KEY = job_key(bytes(range(32)), JOB)

VALUES = {"n": 42, "xs": [1, [2.5, None]], "same": {"a", "b"}}
FRAMES = [
    {"kind": "stream", "t": 1.5, "name": "stdout", "text": "grüß\n"},
    {"kind": "end", "t": 2.0, "status": "ok", "final": True},
]
OUTCOME = Outcome(
    status=spec.ERROR,
    attempt=2,
    failures=(Failure("ValueError", "boom", (("<cell>", 3, "<module>", "raise x", 1),)),),
    traceback=("Traceback", "ValueError: boom"),
    unreturned=(("fh", "fh (_io.TextIOWrapper): closed"),),
    changed=("xs",),
    deleted=("old",),
    usage={"memory": 1, "seconds": 0.5},
)


def job() -> JobSpec:
    found = graph.dump([(spec.VARIABLE, name, value) for name, value in VALUES.items()])
    return JobSpec(
        kind="cell",
        name="train",
        python="3.11",
        source="n += 1",
        needs=("system",),
        out=("n",),
        sources={"<cell>": ("In[1]", "n += 1")},
        records=tuple(found.records),
    )


def write() -> None:
    """Write the golden files."""
    GOLDEN.mkdir(exist_ok=True)
    store = DirectoryStore(GOLDEN)
    found = graph.dump([(spec.VARIABLE, name, value) for name, value in VALUES.items()])
    for kind, meta, buffers in (
        (spec.INPUT, job().meta(), found.parts()),
        (spec.FRAMES, {"attempt": 1, "number": 0}, [encode(FRAMES)]),
        (spec.OUTCOME, OUTCOME.meta(), []),
    ):
        pieces = parts.pack(store, Stamp(KEY, kind, JOB), meta, buffers, set())
        (GOLDEN / f"{kind}.v{VERSION}").write_bytes(b"".join(pieces))


def read(kind: str) -> bytes:
    return (GOLDEN / f"{kind}.v{VERSION}").read_bytes()


def test_golden_input() -> None:
    """The input of a job of the past loads, values and all."""
    envelope = unseal(read(spec.INPUT), KEY, spec.INPUT, JOB)
    found = JobSpec.from_meta(envelope.meta)
    values = {r.name: r.value for r in graph.load(envelope.inline(0), found.records, [])}

    assert values == VALUES
    assert (found.kind, found.source, found.out) == ("cell", "n += 1", ("n",))
    assert found.sources == {"<cell>": ("In[1]", "n += 1")}


def test_golden_frames() -> None:
    """Frames of the past read as they were."""
    envelope = unseal(read(spec.FRAMES), KEY, spec.FRAMES, JOB)

    assert decode(envelope.inline(0)) == FRAMES


def test_golden_outcome() -> None:
    """The outcome of a job of the past says what it said."""
    envelope = unseal(read(spec.OUTCOME), KEY, spec.OUTCOME, JOB)

    assert Outcome.from_meta(envelope.meta) == OUTCOME


if __name__ == "__main__":
    write()
