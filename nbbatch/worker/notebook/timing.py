"""``%time`` and ``%timeit``, with IPython's words and figures."""

from __future__ import annotations

import ast
import math
import time
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.errors import UsageError
from nbbatch.worker.notebook import arguments
from nbbatch.worker.run.cell import remember_source

if TYPE_CHECKING:
    from nbbatch.worker.notebook.shell import Shell

_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "μs"), (1e9, "ns"))
_LONG = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MINUTE = 60
#: Seconds that one measurement should last at least.
_LEAST = 0.2
#: Where even the slowest is faster, how much slower it is says nothing.
_NOISE = 1e-6
_TEMPLATE = """\
def inner(_it, _timer):
    _t0 = _timer()
    for _i in _it:
        pass
    return _timer() - _t0
"""


def in_words(seconds: float, precision: int = 3) -> str:
    """Format a duration: ``1.23 ms``, or ``1min 5s``."""
    if seconds >= _MINUTE:
        return _in_long_words(seconds)
    order = 3
    if seconds > 0:
        order = max(0, min(-(math.floor(math.log10(seconds)) // 3), 3))
    scale, unit = _UNITS[order]
    return f"{seconds * scale:.{precision}g} {unit}"


def _in_long_words(seconds: float) -> str:
    words = []
    for size, unit in _LONG:
        count = int(seconds / size)
        if count:
            seconds %= size
            words.append(f"{count}{unit}")
        if seconds < 1:
            break
    return " ".join(words)


def time_line(shell: Shell, line: str) -> Any:
    """Run a statement once and tell how long it took."""
    return _timed(shell, line)


def time_cell(shell: Shell, line: str, cell: str) -> Any:
    """Run the cell once and tell how long it took."""
    if line.strip():
        raise UsageError(
            f"%%time {line.strip()} can't be run",
            "%%time takes no statement on its own line",
            "write the statement below it, or use %time",
        )
    return _timed(shell, cell)


def _timed(shell: Shell, source: str) -> Any:
    import resource

    source = shell.transform_cell(source)
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.time()
    try:
        return shell.execute(source, "<timed exec>")
    finally:
        wall, now = time.time() - wall, resource.getrusage(resource.RUSAGE_SELF)
        user, system = now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime
        print(
            f"CPU times: user {in_words(user)}, sys: {in_words(system)}, "
            f"total: {in_words(user + system)}"
        )
        print(f"Wall time: {in_words(wall)}")


class TimeitResult:
    """What ``%timeit -o`` returns: seconds of all runs, and figures made of them."""

    def __init__(self, loops: int, runs: list[float], precision: int) -> None:
        self.loops = loops
        self.repeat = len(runs)
        self.all_runs = runs
        self.best = min(runs) / loops
        self.worst = max(runs) / loops
        self.timings = [run / loops for run in runs]
        self._precision = precision

    @property
    def average(self) -> float:
        """Mean seconds of one loop."""
        return math.fsum(self.timings) / len(self.timings)

    @property
    def stdev(self) -> float:
        """Their standard deviation."""
        mean = self.average
        return math.sqrt(math.fsum((t - mean) ** 2 for t in self.timings) / len(self.timings))

    def __str__(self) -> str:
        runs = "run" if self.repeat == 1 else "runs"
        loops = "loop" if self.loops == 1 else "loops"
        return (
            f"{in_words(self.average, self._precision)} ± {in_words(self.stdev, self._precision)} "
            f"per loop (mean ± std. dev. of {self.repeat} {runs}, {self.loops:,} {loops} each)"
        )

    def _repr_pretty_(self, p: Any, cycle: bool) -> None:
        p.text(f"<TimeitResult : {self}>")


def timeit_line(shell: Shell, line: str) -> TimeitResult | None:
    """Run a statement many times and tell how long one run takes."""
    options, statement = arguments.short(line, "n:r:p:v:tcqo")
    return _measured(shell, options, "pass", statement) if statement else None


def timeit_cell(shell: Shell, line: str, cell: str) -> TimeitResult | None:
    """Run the cell many times, after the statement on the line, which is not timed."""
    options, setup = arguments.short(line, "n:r:p:v:tcqo")
    return _measured(shell, options, setup or "pass", cell)


def _measured(
    shell: Shell, options: dict[str, str], setup: str, statement: str
) -> TimeitResult | None:
    timer = {"t": time.time, "c": time.process_time}
    clock = next((timer[name] for name in timer if name in options), time.perf_counter)
    run = _compiled(shell, setup, statement)
    loops = int(options.get("n", 0)) or _loops(run, clock)
    runs = [_run(run, loops, clock) for _ in range(int(options.get("r", 7)))]
    result = TimeitResult(loops, runs, int(options.get("p", 3)))
    if "q" not in options:
        _tell(result)
    if "v" in options:
        shell.user_ns[options["v"]] = result
    return result if "o" in options else None


def _compiled(shell: Shell, setup: str, statement: str) -> Callable[..., float]:
    """Put both into a function, so that names assigned in them are fast and stay inside."""
    filename = "<magic-timeit>"
    source = shell.transform_cell(statement)
    remember_source(filename, source)
    tree = ast.parse(_TEMPLATE)
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    loop = function.body[1]
    assert isinstance(loop, ast.For)
    loop.body = ast.parse(source, filename).body or loop.body
    function.body[:0] = ast.parse(shell.transform_cell(setup)).body
    scope: dict[str, Any] = {**shell.user_ns, **shell.local} if shell.local else shell.user_ns
    made: dict[str, Any] = {}
    exec(compile(tree, filename, "exec", dont_inherit=True), scope, made)
    inner: Callable[..., float] = made["inner"]
    return inner


def _run(run: Callable[..., float], loops: int, clock: Callable[[], float]) -> float:
    import gc
    import itertools

    enabled = gc.isenabled()
    gc.disable()
    try:
        return run(itertools.repeat(None, loops), clock)
    finally:
        if enabled:
            gc.enable()


def _loops(run: Callable[..., float], clock: Callable[[], float]) -> int:
    """Find a power of ten of runs that lasts long enough to measure."""
    for power in range(10):
        if _run(run, 10**power, clock) >= _LEAST:
            break
    return int(10**power)


def _tell(result: TimeitResult) -> None:
    if result.worst > 4 * result.best > 0 and result.worst > _NOISE:
        print(
            f"The slowest run took {result.worst / result.best:0.2f} times longer than the "
            "fastest. This could mean that an intermediate result is being cached."
        )
    print(result)
