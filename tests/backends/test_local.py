"""What is peculiar to the local backend: limits, orphans, a dying supervisor, what is on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest
from stub import KEY, Rig, until, worker_zip

from nbbatch.backends.local import LocalRunner, environments, local_backend, machine, workers
from nbbatch.backends.local.folder import JobFolder
from nbbatch.backends.local.supervise import memory, processes
from nbbatch.backends.local.supervise.attempt import exit_reason
from nbbatch.backends.local.supervise.record import Record, encode
from nbbatch.errors import BackendError, InvalidRequestError, NotFoundError, OptionError
from nbbatch.facts import Loss, State
from nbbatch.options import Options, merge
from nbbatch.wire import keys

SLEEP = "import time; print('running', flush=True); time.sleep(600)"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def folder(local, id_):
    return Path(local.status(id_).log).parent


def facts(local, id_):
    return json.loads((folder(local, id_) / "state.json").read_bytes())


def run(local, code, environment=None, **options):
    id_ = local.start(textwrap.dedent(code), environment, **options)
    return id_, local.finish(id_)


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def is_gone(pid):
    return processes.stat(pid)[:1] in ([], [b"Z"])


# Limits


HOG = "data = bytearray(400 << 20); print('not reached')"


@linux
def test_too_much_memory(local):
    """A job that uses more memory than it asked for is killed, and that is what is said."""
    id_, status = run(local, HOG + "\nimport time; time.sleep(600)", memory=150)

    assert (status.state, status.loss, status.exit_code) == (State.FAILED, Loss.MEMORY, 137)
    assert status.reason == "OutOfMemoryError: Container killed due to memory usage"


@linux
def test_memory_of_the_whole_tree(local):
    """Processes that left the job's session count too, and the small ones may say a last word."""
    code = """
        import subprocess, sys
        hog = "data = bytearray(300 << 20); import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", hog], start_new_session=True)
        print("child ended with", child.wait(), flush=True)
        sys.exit(137)
    """
    id_, status = run(local, code, memory=150)

    assert (status.loss, status.exit_code) == (Loss.MEMORY, 137)
    assert local.lines(id_) == ["child ended with -9"]


@linux
@pytest.mark.thorough
def test_last_words_have_an_end(local):
    """What is left of a job without memory is killed when it does not end by itself."""
    code = """
        import subprocess, sys, time
        hog = "data = bytearray(300 << 20); import time; time.sleep(600)"
        subprocess.run([sys.executable, "-c", hog])
        time.sleep(600)
    """
    _, status = run(local, code, memory=150)

    assert (status.loss, status.exit_code) == (Loss.MEMORY, 137)
    assert status.stopped_at - status.started_at < 60


@linux
def test_shared_memory_counts_once(local):
    """Pages that forked processes share are not counted for each of them."""
    code = """
        import os, time
        data = bytearray(120 << 20)
        data[::4096] = bytes(len(data) // 4096)
        for number in range(3):
            if os.fork() == 0:
                time.sleep(0.6)
                os._exit(0)
        for number in range(3):
            os.wait()
    """
    assert run(local, code, memory=300)[1].state is State.SUCCEEDED


@linux
def test_mapped_files_do_not_count(local):
    """A large file that is mapped and read uses no memory of the job's own."""
    code = """
        import mmap, time
        file = open({!r}, "rb")
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        total = sum(view[::4096])
        time.sleep(0.3)
    """
    # On a disk: the other folder for temporary files may be in memory, and then it does count.
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as big:
        big.truncate(200 << 20)
        assert run(local, code.format(big.name), memory=120)[1].state is State.SUCCEEDED


@linux
def test_memory_is_measured_without_the_finer_numbers(monkeypatch):
    """Where the kernel does not tell what is shared, what each process has is summed up."""
    monkeypatch.setattr(memory, "_SHARED_OUT", (b"Never_Told:",))
    once = memory.shared_out([os.getpid()])

    assert once > 1 << 20
    assert 1.5 * once < memory.shared_out([os.getpid()] * 2) < 3 * once


@linux
def test_a_process_that_has_just_ended_uses_nothing(monkeypatch):
    """What it shared is counted with those that are left, and not once more for itself."""
    pipe, code = subprocess.PIPE, "data = bytearray(50 << 20); print(flush=True); input()"
    sharer = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)
    sharer.stdout.readline()
    each = memory.used(os.getpid(), set())
    assert each[sharer.pid] > 50 << 20
    sharer.communicate(b"\n")

    assert memory.shared_out([sharer.pid]) == 0


def test_out_of_memory_is_tried_again(local):
    """As on Batch, the next attempt may do better."""
    code = f"""
        import os
        if os.environ[{keys.ENV_BATCH_ATTEMPT!r}] == "1":
            data = bytearray(400 << 20)
            import time; time.sleep(600)
    """
    status = run(local, code, memory=150, retries=1)[1]

    assert (status.state, status.attempt) == (State.SUCCEEDED, 2)
    way = ["RUNNABLE", "STARTING", "RUNNING"]
    known = [(stay.attempt, str(stay.state)) for stay in status.stays]
    assert known == [(1, state) for state in ["SUBMITTED", *way]] + [(2, state) for state in way]
    times = [stay.since for stay in status.stays]
    assert times == sorted(times)
    assert list(status.endings) == [1]


def test_timeout_then_kill(local):
    """A job that ignores SIGTERM is killed after its timeout too."""
    local.kill_after(1.0)
    code = """
        import signal, time
        signal.signal(15, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(600)
    """
    id_, status = run(local, code, timeout=1)

    assert status.loss is Loss.TIMEOUT
    # On a slow machine the time may be over before the signal is ignored.
    assert status.exit_code == 137 or list(local.backend.runner.log(id_)) == []


def test_more_than_there_is(local):
    """A job that asks for more than the machine has runs, and is told what it got."""
    code = f"import os; print(os.environ[{keys.ENV_GIVEN!r}])"
    id_, status = run(local, code, cpu=1000, gpu=64, memory="100T")

    assert status.state is State.SUCCEEDED
    assert json.loads(local.lines(id_)[0]) == status.given
    assert status.given["cpu"] == machine.cores()
    assert status.given["gpu"] == len(machine.gpus(os.environ))
    assert 0 < status.given["memory"] < 100 << 20
    assert status.given["host"]


def test_what_was_asked_for_is_given(local):
    """A job that asks for less than there is gets what it asked for."""
    status = run(local, "pass", cpu=0.5, memory=64)[1]

    assert (status.given["cpu"], status.given["memory"], status.given["gpu"]) == (0.5, 64, 0)


def test_options_that_mean_nothing_here():
    """They fail nothing, and are named in one entry for the card."""
    asked = merge(
        {
            "image": "python",
            "iam_role": "role",
            "privileged": True,
            "max_swap": 1,
            "host_volumes": "/data",
            "log_driver": "awslogs",
            "tags": {"a": "1"},
        }
    )

    assert machine.given(asked, {})["not_applied"] == (
        "not applied here: host_volumes, log_driver, max_swap, privileged"
    )
    assert "not_applied" not in machine.given(merge({"image": "python"}), {})


@pytest.mark.parametrize(
    ("asked", "visible", "given"),
    [(1, "2,3", "2"), (2, "GPU-a, GPU-b,GPU-c", "GPU-a,GPU-b"), (3, "0", "0"), (1, "-1", "")],
)
def test_gpus_come_from_those_that_the_kernel_sees(asked, visible, given):
    """A job gets the first GPUs of those that the kernel may use."""
    environ = {machine.VISIBLE: visible}

    assert machine.visible(Options(gpu=asked), environ) == {machine.VISIBLE: given}
    assert machine.visible(Options(), environ) == {}
    count = len([name for name in given.split(",") if name])
    assert machine.given(Options(gpu=asked), environ)["gpu"] == count


def test_a_jobs_gpus_are_in_its_environment(local, monkeypatch):
    """The variable that the job sees has as many GPUs as it asked for."""
    monkeypatch.setenv(machine.VISIBLE, "5,6,7")
    id_, status = run(local, "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])", gpu=2)

    assert local.lines(id_) == ["5,6"]
    assert status.given["gpu"] == 2


# Processes


@linux
def test_nothing_of_a_job_is_left(local):
    """Orphans, and processes in sessions of their own, end with the job that started them."""
    code = """
        import os, subprocess, sys
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        own = subprocess.Popen(sleep, start_new_session=True)
        middle = (
            "import subprocess, sys\\n"
            "print(subprocess.Popen(sys.argv[1:], stdout=2, start_new_session=True).pid)"
        )
        orphan = subprocess.run([sys.executable, "-c", middle, *sleep], stdout=subprocess.PIPE)
        print(own.pid, int(orphan.stdout), os.getpid())
    """
    id_, status = run(local, code)
    pids = [int(pid) for pid in local.lines(id_)[0].split()]

    assert status.state is State.SUCCEEDED
    assert len(pids) == 3
    assert all(is_gone(pid) for pid in pids)


def hasty(tmp_path, text):
    """Make an executable that is far ahead of its supervisor: that one stands still meanwhile."""
    return program(tmp_path / "hasty", f"kill -STOP $PPID\n{text}")


@linux
def test_an_orphan_of_the_first_moment(local, tmp_path):
    """Whatever the job leaves behind, it ends with it: also what it left before anybody looked."""
    leave = (
        "import subprocess as s; "
        "print(s.Popen(['sleep', '600'], stdout=s.DEVNULL, start_new_session=True).pid)"
    )
    text = f'{sys.executable} -I -S -c "{leave}"\nkill -CONT $PPID'
    id_, status = run(local, "", executable=hasty(tmp_path, text))

    assert status.state is State.SUCCEEDED
    assert is_gone(int(local.lines(id_)[0]))


SLOW_TO_WATCH = """
import sys, time
from types import SimpleNamespace
from nbbatch.backends.local.supervise.attempt import Attempt
plan = SimpleNamespace(
    folder=sys.argv[1], directory="/", executable="sleep", worker="600", attempt_name="A",
    temp_name="T", timeout=0.5, memory=0, grace=60.0,
)
attempt = Attempt(plan, 1, SimpleNamespace(reason=str))
attempt.spawn()
time.sleep(0.6)
began = time.monotonic()
print(attempt.watch().loss, time.monotonic() - began >= 0.5)
"""


def test_the_timeout_is_counted_from_where_the_job_is_said_to_run(tmp_path):
    """Nobody sees a job end sooner than was promised, however long its start has taken."""
    command = [sys.executable, "-c", SLOW_TO_WATCH, str(tmp_path)]

    assert subprocess.run(command, stdout=subprocess.PIPE).stdout == b"timeout True\n"


@linux
def test_the_supervisor_ends_with_its_job(local):
    """When the job has ended its supervisor is gone, and this process has no zombie."""
    before = set(processes.descendants(os.getpid()))
    id_, _ = run(local, "pass")
    supervisor = facts(local, id_)["supervisor"]

    until(lambda: is_gone(supervisor), bool)
    until(lambda: set(processes.descendants(os.getpid())) - before, lambda new: not new)


def held(pid):
    """Return the names of the files that a process has open, as far as they stay so."""
    names = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(os.readlink(link))
    return {name for name in names if not name.startswith("anon_inode")}


@linux
def test_the_supervisor_is_detached(local, tmp_path):
    """It is no child of this process, in another session, and holds none of its files."""
    inherited = os.open(tmp_path / "of the kernel", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(inherited, True)
    id_ = local.start("import os; print(len(os.listdir('/proc/self/fd')), flush=True)\n" + SLEEP)
    job_files = local.lines(id_)
    os.close(inherited)
    local.reach(id_, State.RUNNING)
    supervisor = facts(local, id_)["supervisor"]

    assert supervisor not in processes.descendants(os.getpid())
    assert os.getsid(supervisor) != os.getsid(0)
    # What it opens for a moment, to look at its job, it does not hold.
    wanted = {"/dev/null", str(folder(local, id_) / "lock")}
    until(lambda: held(supervisor), lambda files: files == wanted)
    # Three standard streams, and the folder that is being listed.
    assert job_files[0] == "4"


SESSION = """
import os, signal, time
from stub import Rig
rig = Rig(backend, "")
print(rig.start("import time; print('alive', flush=True); time.sleep(0.4); print('done')"))
sys.stdout.flush()
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.killpg(0, signal.SIGINT)
"""


def test_interrupting_the_kernel_does_not_reach_the_job(local):
    """SIGINT to the kernel's process group leaves the job alone, and nothing is ignored in it."""
    starter = local.elsewhere(SESSION, start_new_session=True)
    id_ = starter.communicate()[0].strip()

    assert starter.returncode == -signal.SIGINT
    assert local.finish(id_).state is State.SUCCEEDED
    assert local.lines(id_) == ["alive", "done"]


def test_signals_have_their_defaults_in_the_job(local):
    """What the kernel ignores the job does not."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
        id_ = local.start(code)
    finally:
        signal.signal(signal.SIGINT, before)
    local.finish(id_)

    assert local.lines(id_) == ["True"]


@linux
def test_a_killed_supervisor(local):
    """A job whose supervisor was killed has failed, says so, and leaves no process behind."""
    id_ = local.start(SLEEP)
    local.lines(id_)
    local.reach(id_, State.RUNNING)
    known = facts(local, id_)
    os.kill(known["supervisor"], signal.SIGKILL)
    status = until(lambda: _fresh(local).describe([id_])[id_], lambda status: status.state.final)

    assert (status.state, status.loss) == (State.FAILED, Loss.UNKNOWN)
    assert f"supervisor (process {known['supervisor']}) died" in status.reason
    assert status.stopped_at is not None
    until(lambda: is_gone(known["worker"]), bool)
    assert _fresh(local).describe([id_])[id_] == status == local.status(id_)


def _fresh(local):
    """Return a runner that remembers nothing."""
    return local_backend(Path(local.backend.store.root).parent).runner


def test_a_start_that_was_cut_off(local):
    """A job whose starter died before it had a supervisor has failed."""
    id_, _ = run(local, "pass")
    record = Record(str(folder(local, id_)), attempt=1, submitted_at=1.0)
    record.enter("SUBMITTED")
    # The supervisor of the job that was used for this may not be gone yet.
    status = until(lambda: _fresh(local).describe([id_])[id_], lambda status: status.state.final)

    assert (status.state, status.loss) == (State.FAILED, Loss.UNKNOWN)
    assert "never started" in status.reason


def test_a_supervisor_that_is_told_to_end(local, tmp_path):
    """SIGTERM to the supervisor, as when the machine shuts down, ends the job in good order.

    However early it comes: here before the job's own interpreter could have started.
    """
    impatient = program(tmp_path / "impatient", "kill -TERM $PPID\nexec sleep 600")
    status = run(local, "", retries=3, executable=impatient)[1]

    assert (status.loss, status.attempt) == (Loss.CANCELLED, 1)
    assert "SIGTERM" in status.reason


@pytest.mark.parametrize(
    ("code", "said"),
    [(139, "SIGSEGV"), (143, "SIGTERM"), (3, "exit code 3"), (255, "exit code 255")],
)
def test_exit_codes_in_words(code, said):
    """A reason names the signal, or the code where it is none."""
    assert said in exit_reason(code)


def test_a_signal_is_named(local):
    """A job that was killed by a signal says by which one."""
    status = run(local, "import os; os.kill(os.getpid(), 11)")[1]

    assert status.reason == "killed by SIGSEGV (exit code 139)"


def test_processes_that_share_a_number_are_told_apart():
    """A session is not killed if its number belongs to another process by now."""
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True)
    processes.end_session(victim.pid, "1")
    assert victim.poll() is None
    processes.end_session(victim.pid, processes.started(victim.pid))
    assert victim.wait() == -9
    victim.stdin.close()


# The disk


def test_the_key_is_never_on_disk(local):
    """The job's key is in no file, while it runs and afterwards; other people read nothing."""
    id_ = local.start(SLEEP)
    local.lines(id_)
    # From now on no file takes another one's place.
    local.reach(id_, State.RUNNING)
    home = Path(local.backend.store.root).parent
    found = [path for path in home.rglob("*") if path.is_file()]

    assert len(found) > 4
    assert not [path for path in found if KEY.encode() in path.read_bytes()]
    assert stat.S_IMODE(folder(local, id_).stat().st_mode) == 0o700


def test_every_state_leaves_its_time(local):
    """The states file has the time of each state, in order."""
    id_, _ = run(local, "pass")
    known = facts(local, id_)
    names = ["submitted_at", "runnable_at", "starting_at", "running_at", "succeeded_at"]

    assert [known[name] for name in names] == sorted(known[name] for name in names)


def test_a_state_file_is_plain_json():
    """What the supervisor writes without `json`, `json` reads."""
    odd = {"quote": '"\\', "lines": "a\nb\t\x00", "fish": "ü🐟\udc80", "no": None, "n": 1, "x": 0.5}

    assert json.loads(encode(odd)) == odd


def test_a_job_is_started_once(local):
    """Starting the same job again returns its id and starts nothing."""
    launch = local.launch("print('once')")
    first = local.backend.runner.start(launch)
    local.finish(first)

    assert local.backend.runner.start(launch) == first
    assert local.status(first).state is State.SUCCEEDED
    assert local.lines(first) == ["once"]


def test_the_worker_is_unpacked_once(local):
    """Kernels that start jobs at the same time share one unpacked worker, whole again if broken."""
    launches = [local.launch("print('ok')") for _ in range(6)]
    threads = [threading.Thread(target=local.backend.runner.start, args=[x]) for x in launches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(local.finish(x.job_id).state is State.SUCCEEDED for x in launches)

    workers = Path(local.backend.store.root).parent / "worker"
    assert os.listdir(workers) == [worker_zip()[1]]
    (workers / worker_zip()[1] / "__main__.py").unlink()
    assert run(local, "print('ok')")[1].state is State.SUCCEEDED


def test_a_worker_that_another_kernel_unpacks_just_then(local, monkeypatch):
    """Its files stay: jobs of that kernel may have begun to run from them."""
    launch, store = local.launch("pass"), local.backend.store
    home = Path(store.root).parent
    place = workers.unpacked(home, store, launch.worker)
    was = (place / "__main__.py").stat()
    really, late = workers._is_whole, iter([False])
    monkeypatch.setattr(workers, "_is_whole", lambda place: next(late, True) and really(place))

    assert workers.unpacked(home, store, launch.worker) == place
    now = (place / "__main__.py").stat()
    assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    assert os.listdir(place.parent) == [place.name]


def test_a_worker_that_is_not_there(local):
    """Without its worker a job is not started, and leaves nothing behind."""
    launch = local.launch("pass")
    local.backend.store.delete([keys.worker(launch.worker)])

    with pytest.raises(NotFoundError):
        local.backend.runner.start(launch)
    assert dict(local.backend.runner.describe([launch.job_id])) == {}


def test_a_worker_that_was_altered(local):
    """A worker whose content is not what its name says is not run."""
    launch = local.launch("pass")
    local.backend.store.put(keys.worker(launch.worker), [b"something else"])

    with pytest.raises(BackendError, match="altered"):
        local.backend.runner.start(launch)


FULL = """
import os, pathlib
from stub import Rig, until
from nbbatch.errors import StorageFullError
from nbbatch.backends.local import local_backend
backend = local_backend(pathlib.Path(sys.argv[1]) / "home")
rig = Rig(backend, "")
go = sys.argv[2]
wait = f"while not os.path.exists({go!r}): time.sleep(0.01)"
id_ = rig.start(f"import os, time\\nprint('up', flush=True)\\n{wait}\\nos._exit(3)")
stopped = rig.start("import time; print('up', flush=True); time.sleep(600)")
for one in (id_, stopped):
    rig.lines(one)
launch = rig.launch("pass")
with open(sys.argv[1] + "/filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        pass
try:
    backend.runner.start(launch)
except StorageFullError as error:
    print("start:", error.cause)
backend.runner.stop([stopped], "no room")
pathlib.Path(go).touch()
for one in (id_, stopped):
    status = rig.finish(one)
    print(status.state, status.loss.value, status.exit_code)
print(sorted(backend.runner.describe([launch.job_id])))
"""


def test_a_full_disk(local, tmp_path):
    """With no byte left, jobs still end, can be stopped, and none is half started."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(disk)]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("needs a user namespace")
    command = [sys.executable, "-c", local.script(FULL), str(disk), str(tmp_path / "go")]
    answer = subprocess.run([*inside, *command], stdout=subprocess.PIPE, text=True, check=True)

    said = answer.stdout.splitlines()
    assert "No space left on device" in said[0]
    assert said[1:] == ["FAILED exit 3", "FAILED cancelled 143", "[]"]


# The environment


def test_the_job_lives_on_this_machine(local, tmp_path, monkeypatch):
    """It has the kernel's directory and variables, except what says which job the kernel is."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("NBBATCH_OF_THE_KERNEL", "1")
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", "3")
    (tmp_path / "beside.py").write_text("name = 'beside the notebook'")
    code = """
        import beside, os
        print(beside.name)
        print(os.getcwd())
        print(sorted({"NBBATCH_OF_THE_KERNEL", "AWS_BATCH_JOB_ARRAY_INDEX"} & set(os.environ)))
    """
    launch = dataclasses.replace(local.launch(textwrap.dedent(code)), directory=str(tmp_path))
    id_ = local.backend.runner.start(launch)
    local.finish(id_)

    assert local.lines(id_) == ["beside the notebook", str(tmp_path), "[]"]


def test_a_directory_that_does_not_exist(local, tmp_path):
    """A job is not started in a directory that is gone."""
    launch = dataclasses.replace(local.launch("pass"), directory=str(tmp_path / "gone"))

    with pytest.raises(InvalidRequestError, match="gone"):
        local.backend.runner.start(launch)


def test_a_home_that_can_not_be_made(tmp_path):
    """A home below a file is an error in three parts, not a traceback from inside."""
    (tmp_path / "file").write_text("")
    sound = local_backend(tmp_path / "home")
    broken = LocalRunner(tmp_path / "file" / "home", sound.store)

    with pytest.raises(BackendError) as caught:
        broken.start(Rig(sound, "").launch("pass"))
    assert "NBBATCH_HOME" in caught.value.hint


@pytest.mark.parametrize("id_", ["", ".", "..", "../local", "a/b", "/etc", "nul\0"])
def test_ids_are_no_paths(local, id_):
    """An id that points somewhere else is simply unknown."""
    assert dict(local.backend.runner.describe([id_])) == {}
    assert list(local.backend.runner.log(id_)) == []
    local.backend.runner.stop([id_], "nothing")


def test_an_executable_is_looked_for_before(local):
    """An interpreter that this machine does not have is refused before anything is written."""
    local.backend.runner.check(Options(executable=sys.executable))

    with pytest.raises(OptionError, match="no-such-python"):
        local.backend.runner.check(Options(executable="no-such-python"))


def test_an_executable_that_is_too_old(local, tmp_path):
    """It is refused before anything is written, and so is one that is another than asked for."""
    told = {"python": "3.8", "machine": "m", "libc": "", "packages": {}, "path": []}
    old = program(tmp_path / "old", f"echo '{json.dumps(told)}'")
    with pytest.raises(OptionError, match="can't be used") as caught:
        local.backend.runner.check(Options(executable=old))
    with pytest.raises(OptionError, match="can't be used") as other:
        local.backend.runner.check(Options(executable=sys.executable, python="3.99"))

    assert "it is Python 3.8, and jobs need 3.9 or newer" in caught.value.cause
    assert f"{sys.executable}, and that is Python" in other.value.cause


def test_interpreters_of_version_managers(tmp_path, monkeypatch):
    """A program that only says where it would be is none; the next one that works is taken."""
    told = {"python": "3.77", "machine": "m", "libc": "", "packages": {}, "path": []}
    program(tmp_path / "shims/python3.77", "echo 'not of this version' >&2; exit 127")
    works = tmp_path / "pyenv/versions/3.77.1/bin/python3.77"
    works = program(works, f"echo '{json.dumps(told)}'")
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:{os.environ['PATH']}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))

    assert environments.interpreter("3.77") == works
    assert environments.interpreter("3.78") is None


@pytest.mark.parametrize("when", [1, 2])
def test_a_job_that_is_forgotten_while_somebody_looks(tmp_path, monkeypatch, when):
    """There is none, neither one that died nor an error, whenever its folder goes."""
    job = JobFolder(tmp_path / "job")
    os.close(job.create(0.0, {}))
    read, looks = job._facts, itertools.count(1)

    def look():
        last = next(looks) == when
        found = read() if when == 1 or not last else None
        if last:
            job.remove()
        return found

    monkeypatch.setattr(job, "_facts", look)

    assert job.status() is None


def test_what_an_interpreter_has_is_asked_again(tmp_path):
    """Also where the time of its folder does not tell that something was just installed."""
    site, now = tmp_path / "site", time.time_ns() + 10**12
    site.mkdir()
    for packages in ({}, {"tinylib": "1.0"}):
        os.utime(site, ns=(now, now))
        told = {"python": "3.77", "machine": "m", "libc": "", "packages": packages}
        asked = program(tmp_path / "it", f"echo '{json.dumps({**told, 'path': [str(site)]})}'")

        assert environments.environment(asked).packages == packages


def test_bytes_that_are_no_text(local):
    """A log with other bytes than UTF-8 and a very long line is still read."""
    code = "import os; os.write(1, b'\\xff\\n' + b'x' * 300_000)"
    id_, _ = run(local, code)
    lines = local.lines(id_, 2)

    assert lines[0] == "\N{REPLACEMENT CHARACTER}"
    assert "".join(lines[1:]) == "x" * 300_000
