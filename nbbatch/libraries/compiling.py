"""Bytecode for modules that have none yet: made in the background, for the jobs to come.

Compiling a large library takes longer than packing and sending it, so that the first job goes
without, and compiles what it imports. The later ones get it as a layer of its own.

Also the script of the process that does it: it reads JSON pairs of source and target, a line
each, and imports nothing of nbbatch.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

#: Behind the recipe of a layer, that of its bytecode.
BYTECODE: Final = "|bytecode"
#: Says that bytecode belongs to its source unchecked. https://peps.python.org/pep-0552/
_UNCHECKED: Final = (1).to_bytes(4, "little")
_PROCESSES: Final = max(1, min(4, (os.cpu_count() or 1) - 1))


class Source(NamedTuple):
    """A module to compile, and where its bytecode goes."""

    path: Path
    target: Path


def compile_all(sources: Sequence[Source]) -> None:
    """Compile modules in processes that give way to everything else."""
    shares = [sources[number::_PROCESSES] for number in range(_PROCESSES)]
    running = [_start(share) for share in shares if share]
    for process, lines in running:
        process.communicate(lines)


def _start(sources: Sequence[Source]) -> tuple[subprocess.Popen[bytes], bytes]:
    lines = "\n".join(json.dumps([str(path), str(target)]) for path, target in sources)
    command = [sys.executable, "-I", "-S", __file__]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, **silent)  # type: ignore[call-overload]
    return process, lines.encode()


def _compile(path: str, target: str) -> None:
    source = Path(path).read_bytes()
    # The importer corrects the name to where the module is.
    code = compile(source, Path(path).name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_bytes(head + marshal.dumps(code))


def _pairs() -> Iterator[list[str]]:
    return (json.loads(line) for line in sys.stdin if line.strip())


def main() -> None:
    """Compile what standard input names; templates and what is for other Pythons stay out."""
    os.nice(19)
    warnings.simplefilter("ignore")
    for path, target in _pairs():
        try:
            _compile(path, target)
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue


if __name__ == "__main__":
    main()
