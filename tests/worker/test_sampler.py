"""What a job uses: from control groups of both versions, from its processes, from the GPUs."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys

import pytest

from nbbatch.wire import keys
from nbbatch.worker.sampling import cgroups, processes, sampler
from nbbatch.worker.sampling.cgroups import Cgroup
from nbbatch.worker.sampling.gpus import Gpus
from tests.disks import small_disk

MIB = 1 << 20
V2 = {
    "cgroup.controllers": "cpu memory",
    "memory.max": str(512 * MIB),
    "memory.current": str(300 * MIB),
    "memory.stat": f"anon 1\ninactive_file {100 * MIB}\nactive_file 7",
    "memory.events": "low 0\noom 2\noom_kill 2\noom_group_kill 0",
    "cpu.stat": "usage_usec 2500000\nuser_usec 1",
    "cpu.max": "150000 100000",
}
V1 = {
    "memory/memory.limit_in_bytes": str(512 * MIB),
    "memory/memory.usage_in_bytes": str(300 * MIB),
    "memory/memory.stat": f"cache 1\ntotal_inactive_file {100 * MIB}",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
    "cpuacct/cpuacct.usage": "2500000000",
    "cpu/cpu.cfs_quota_us": "150000",
    "cpu/cpu.cfs_period_us": "100000",
}


def lay(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    return str(folder)


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_a_control_group(tmp_path, files):
    """Both versions say the same in their own files; the droppable file cache does not count."""
    group = Cgroup(lay(tmp_path, files))

    assert (512 * MIB, 200 * MIB) == (group.memory_limit(), group.memory())
    assert (2.5, 1.5, 2) == (group.cpu_seconds(), group.cpu_limit(), group.oom_kills())


@pytest.mark.parametrize(
    "files",
    [
        {**V2, "memory.max": "max", "cpu.max": "max 100000"},
        {**V1, "memory/memory.limit_in_bytes": "9223372036854771712", "cpu/cpu.cfs_quota_us": "-1"},
    ],
    ids=["v2", "v1"],
)
def test_no_limits(tmp_path, files):
    """Without limits there are none to tell, and the control group is not trusted."""
    root = lay(tmp_path, files)

    assert (None, None) == (Cgroup(root).memory_limit(), Cgroup(root).cpu_limit())
    assert sampler.own_cgroup(root) is None


def test_nothing_mounted(tmp_path):
    """A machine without control groups is no error."""
    group = Cgroup(str(tmp_path / "none"))

    asked = (group.memory_limit, group.memory, group.cpu_seconds, group.cpu_limit, group.oom_kills)
    assert {None} == {ask() for ask in asked}


def test_sampled_from_the_control_group(tmp_path):
    """In a container of its own the job's use is the group's, and its kills since the start."""
    root = lay(tmp_path, V2)
    mine = sampler.Sampler(os.getpid(), root)
    lay(tmp_path, {"cpu.stat": "usage_usec 99000000", "memory.events": "oom_kill 3"})
    said = mine.sample()

    assert (200 * MIB, 512 * MIB) == (said["memory"], said["memory_limit"])
    assert said["cpu"] > 0
    assert 1 == mine.oom_kills()


def test_a_local_job_is_not_alone_in_its_container(tmp_path, monkeypatch):
    """What the backend gave is the limit of a job that shares its container with others."""
    monkeypatch.setenv(keys.ENV_GIVEN, json.dumps({"memory": 64, "cpu": 1}))
    # The tests themselves may have been started by a container's first process.
    monkeypatch.setattr(os, "getppid", lambda: 4711)
    said = sampler.Sampler(os.getpid(), lay(tmp_path, V2)).sample()

    assert 64 * MIB == said["memory_limit"]
    assert said["memory"] != 200 * MIB


@pytest.mark.parametrize("given", ["", "not JSON", "[1]", "{}", '{"memory": null}'])
def test_what_was_given_may_be_anything(tmp_path, monkeypatch, given):
    """A variable that says nothing limits nothing."""
    monkeypatch.setenv(keys.ENV_GIVEN, given)

    assert sampler.Sampler(os.getpid(), str(tmp_path)).sample()["memory_limit"] is None


BUSY = """
import os, sys
block = bytearray({size})
block[::4096] = b"x" * len(block[::4096])
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family():
    """Start a shell whose child, in a session of its own, holds 64 MiB."""
    program = BUSY.format(size=64 * MIB)
    outer = f"import subprocess, sys; subprocess.call([sys.executable, '-c', {program!r}], "
    outer += "start_new_session=True)"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        yield process.pid, child
        process.stdin.close()


def test_processes_are_added_up(family, tmp_path):
    """The memory of what a job started counts, wherever it went."""
    pid, child = family
    said = sampler.Sampler(pid, str(tmp_path)).sample()

    assert [pid, child] == processes.tree(pid)
    assert 64 * MIB < said["memory"] < 256 * MIB
    assert {"cpu", "memory", "memory_limit", "disk", "disk_limit", "gpus"} == set(said)


def test_cpu_time_of_ended_children_counts(tmp_path):
    """CPU time is not lost with the process that used it."""
    before = processes.use(os.getpid()).cpu_seconds
    # More than is asked for below: the clock of processes has large steps.
    burn = "import os\nwhile os.times().user < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)

    assert processes.use(os.getpid()).cpu_seconds >= before + 0.2


def test_a_process_that_is_gone(tmp_path):
    """A sample after the end says nothing is used, and does not raise."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    mine = sampler.Sampler(process.pid, str(tmp_path))
    process.wait()

    assert (0, 0.0) == (mine.sample()["memory"], mine.sample()["cpu"])


def test_without_the_files_of_children(family, monkeypatch):
    """Where the kernel does not list children, all processes are looked through."""
    pid, child = family
    monkeypatch.setattr(processes, "_children", processes._children_by_scan)

    assert [pid, child] == processes.tree(pid)


def test_by_ps():
    """Where there is no /proc, `ps` tells; its times may have hours and days."""
    text = "  10 1 100 0:01.50\n 11 10 200 01:00:00\n 12 11 300 1-00:00:01\n 13 1 999 9:00\nodd\n"

    assert (600 * 1024, 1.5 + 3600 + 86401) == processes.parsed(text, 10)
    assert (0, 0.0) == processes.parsed("", 10)


def test_no_proc_and_no_ps(monkeypatch, tmp_path):
    """On a machine that tells nothing, nothing is told, without an exception."""
    monkeypatch.setattr(processes, "_PROC", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert (0, 0.0) == processes.use(os.getpid())


def test_no_proc_but_ps(monkeypatch, family, tmp_path):
    """The real `ps` gives what /proc gives, about."""
    monkeypatch.setattr(processes, "_PROC", str(tmp_path))

    assert processes.use(family[0]).memory > 64 * MIB


def test_disk_that_fills_up(tmp_path, monkeypatch):
    """The job's files show as the growth of the temporary directory's file system."""
    with small_disk(tmp_path / "disk", 64) as disk:
        monkeypatch.setenv("TMPDIR", str(disk))
        mine = sampler.Sampler(os.getpid(), str(tmp_path))
        (disk / "file").write_bytes(os.urandom(32 * MIB))
        said = mine.sample()

    assert 32 * MIB <= said["disk"] < 33 * MIB
    # What was free at the start: the size of what it may fill.
    assert 63 * MIB < said["disk_limit"] <= 64 * MIB


class Disk:
    """A file system of so many blocks, some of them for its owner alone."""

    f_blocks, f_frsize = 1000, 4096

    def __init__(self, used):
        self.f_bfree = self.f_blocks - used
        self.f_bavail = self.f_bfree - 50


def test_disk_that_is_not_empty(tmp_path, monkeypatch):
    """What was there before does not count; nor does it where others remove more than is added."""
    disks = iter([Disk(100), Disk(130), Disk(40)])
    monkeypatch.setattr(os, "statvfs", lambda place: next(disks))
    mine = sampler.Sampler(os.getpid(), str(tmp_path))

    said = [(found["disk"], found["disk_limit"]) for found in (mine.sample(), mine.sample())]
    assert said == [(30 * 4096, 850 * 4096), (0, 850 * 4096)]


def test_a_temporary_directory_that_is_gone(tmp_path, monkeypatch):
    """A disk that can't be asked counts as nothing used."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))

    said = sampler.Sampler(os.getpid(), str(tmp_path)).sample()

    assert (0, None) == (said["disk"], said["disk_limit"])


def test_facts_of_the_host(monkeypatch):
    """The facts are plain values, memory in MiB."""
    facts = sampler.host_facts()

    assert facts == json.loads(json.dumps(facts))
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["cpu"] >= 1
    assert 128 < facts["memory"] < 1 << 30


class Nvml:
    """Two GPUs, as NVIDIA's library tells of them."""

    NAMES = (b"Tiny", b"Large")

    def __init__(self, failing=()):
        self.failing = failing

    def nvmlInit_v2(self):
        return 9 if "init" in self.failing else 0

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        if f"handle {index.value}" in self.failing:
            return 15
        handle._obj.value = index.value + 1
        return 0

    def nvmlDeviceGetName(self, handle, text, size):
        text.value = self.NAMES[handle.value - 1]
        return 0

    def nvmlDeviceGetUUID(self, handle, text, size):
        text.value = b"GPU-%d-abc" % handle.value
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle, used):
        used._obj.gpu = 10 * handle.value
        return 0

    def nvmlDeviceGetMemoryInfo(self, handle, memory):
        memory._obj.total, memory._obj.used = 8 << 30, handle.value << 30
        return 0


def gpu(number):
    return {
        "name": Nvml.NAMES[number - 1].decode(),
        "utilization": 10.0 * number,
        "memory": number << 30,
        "memory_total": 8 << 30,
    }


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [1, 2]),
        ("0,1", [1, 2]),
        ("1", [2]),
        ("GPU-1-abc", [1]),
        ("GPU-2", [2]),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus(monkeypatch, visible, expected):
    """Those that the job may use are told, each with its use."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = Gpus(Nvml())

    assert [gpu(number) for number in expected] == gpus.sample()
    assert [gpu(number)["name"] for number in expected] == gpus.names()


@pytest.mark.parametrize(("failing", "expected"), [(["init"], []), (["handle 0"], [2])])
def test_gpus_that_fail(failing, expected):
    """A driver that does not answer has no GPUs; one lost GPU does not hide the others."""
    assert [gpu(number) for number in expected] == Gpus(Nvml(failing)).sample()


def test_a_driver_that_lacks_a_function():
    """A library without a function is as one that refuses it."""
    assert [] == Gpus(ctypes.CDLL(None)).sample()


def test_killed_for_its_memory_or_not(tmp_path):
    """A process that is only killed is not taken for one that was out of memory."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mine = sampler.Sampler(process.pid, lay(tmp_path, V2))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()

    assert 0 == mine.oom_kills()
    assert cgroups.table(str(tmp_path / "memory.events")) == {
        "low": 0, "oom": 2, "oom_kill": 2, "oom_group_kill": 0
    }  # fmt: skip
