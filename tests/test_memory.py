"""Large values are never copied whole: peaks of memory, as the machine counts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

#: Of the value that goes in, and of the one that comes back, in MiB; what may come on top.
SIZE, EXTRA = 256, 100

#: Two jobs: one with next to nothing shows what both processes need anyway.
PROGRAM = f"""
import json, pickle
from pathlib import Path
from nbbatch import batch

@batch(memory=4000)
def other(data):
    import pickle
    assert bytes(data[::4096]) == b"y" * len(range(0, len(data), 4096))
    return pickle.PickleBuffer(bytearray(b"x") * len(data))

def peaks(size):
    data = bytearray(b"y") * size
    Path("/proc/self/clear_refs").write_text("5")
    job = other.submit(pickle.PickleBuffer(data))
    found = memoryview(job.result(300))
    assert len(found) == size
    # Every page is read: what is lent is not there before.
    assert bytes(found[::4096]) == b"x" * len(range(0, size, 4096))
    lines = Path("/proc/self/status").read_text().splitlines()
    here = int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) >> 10
    return here, job.facts.peak.memory >> 20

small, large = peaks(1), peaks({SIZE} << 20)
print(json.dumps([b - a - 2 * {SIZE} for a, b in zip(small, large)]))
"""


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="needs the peaks of Linux's /proc"
)
def test_neither_side_copies_a_large_value(tmp_path: Path) -> None:
    """Kernel and job hold what goes in and what comes back, and little besides."""
    script = tmp_path / "client.py"
    script.write_text(PROGRAM)
    environ = {**os.environ, "NBBATCH_BACKEND": "local", "NBBATCH_HOME": str(tmp_path / "home")}
    run = subprocess.run(
        [sys.executable, str(script)], env=environ, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    client, worker = json.loads(run.stdout)

    assert -SIZE // 2 < client < EXTRA
    assert -SIZE // 2 < worker < EXTRA
