"""``nbbatch doctor`` and ``%batch doctor``: what is wrong, and what to type about it."""

from __future__ import annotations

import platform
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nbbatch import __version__
from nbbatch.errors import NbbatchError, as_disk_error
from nbbatch.facts import Finding, Verdict
from nbbatch.session import current_session
from nbbatch.worker.boot.bundle import bundle

__all__ = ["examine", "render", "report", "summary"]

#: Words, so that no colour and no symbol is needed to see what a line means.
_MARKS = {
    Verdict.OK: "ok",
    Verdict.WARNING: "warning",
    Verdict.WRONG: "WRONG",
    Verdict.SKIPPED: "skipped",
}
#: Characters of a cause.
_LONGEST = 400
#: Columns of the mark, of the name, of what stands below them, and the widest text.
_MARK, _NAME, _WIDEST = 8, 15, 110


def examine(options: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at all that jobs need, one thing after the other; never raises.

    Parameters
    ----------
    options
        What the jobs would be given, as in ``%%batch``; the configuration has the rest.
    """
    yield _client()
    try:
        session = current_session()
        asked = session.options(options)
    except (NbbatchError, OSError) as error:
        what = "nbbatch can't use its own folder"
        told = as_disk_error(error, what) if isinstance(error, OSError) else error
        yield Finding("configuration", Verdict.WRONG, told.what, told.cause, told.hint)
        return
    settings = session.settings
    source = settings.sources.get("backend") or settings.sources.get("s3_root", "default")
    found = f"the backend {settings.backend} ({source}), objects in {session.backend.store.url}"
    yield Finding("configuration", Verdict.OK, found)
    yield from session.backend.examine(asked)


def _client() -> Finding:
    here = f"nbbatch {__version__} on Python {platform.python_version()}, {platform.system()}"
    content, digest = bundle()
    worker = f"the worker is {len(content) >> 10} KiB ({digest[:8]})"
    return Finding("nbbatch", Verdict.OK, f"{here}; {worker}, which needs nothing in the image")


def render(finding: Finding, width: int) -> str:
    """Write a finding as lines of at most `width` columns, but for what is to be typed."""
    indent = " " * (_MARK + _NAME)
    head = f"{_MARKS[finding.verdict]:<{_MARK}}{finding.name:<{_NAME}}"
    lines = _wrapped(head, finding.found, width)
    if finding.cause:
        lines += _wrapped(f"{indent}cause: ", _clipped(finding.cause), width)
    if finding.hint:
        # In one piece: it is to be copied.
        lines.append(f"{indent}next:  {finding.hint}")
    return "\n".join(lines)


def _clipped(text: str) -> str:
    # What a proxy answers in the place of AWS may be a whole page.
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _wrapped(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        max(width, len(head) + 20),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def summary(findings: Iterable[Finding]) -> str:
    """Say in one line what came of it."""
    verdicts = [finding.verdict for finding in findings]
    wrong, warnings = verdicts.count(Verdict.WRONG), verdicts.count(Verdict.WARNING)
    skipped = verdicts.count(Verdict.SKIPPED)
    if not wrong:
        said = ["nothing is wrong"]
    else:
        said = [f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong"]
    if warnings:
        said.append(f"{warnings} warning{'s' * (warnings > 1)}")
    if skipped:
        said.append(f"{skipped} can't be told")
    return ", ".join(said)


def report(options: Mapping[str, Any], write: Callable[[str], None]) -> bool:
    """Write each finding as it comes, then the sum; tell whether nothing is wrong."""
    width = min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)
    findings: list[Finding] = []
    for finding in examine(options):
        write(render(finding, width) + "\n")
        findings.append(finding)
    write(f"\n{summary(findings)}\n")
    return all(finding.verdict is not Verdict.WRONG for finding in findings)
