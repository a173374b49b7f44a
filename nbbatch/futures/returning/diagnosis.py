"""What became of a job: nothing wrong, or the error that says what, why and what next."""

from __future__ import annotations

from nbbatch import errors
from nbbatch.errors import JobLostError, NbbatchError
from nbbatch.facts import JobFacts, Loss, Status
from nbbatch.wire import spec
from nbbatch.wire.spec import Outcome

#: How the backends begin to say that another job has failed.
DEPENDENCY = "Dependent Job"


def outcome_word(outcome: Outcome | None, error: BaseException | None) -> str:
    """Return the facts' word for how a job ended."""
    if isinstance(error, errors.JobCancelledError):
        return "cancelled"
    if outcome is not None and outcome.status == spec.OK:
        return "ok"
    lost = outcome is None or outcome.status in (spec.TERMINATED, spec.DIED)
    return "lost" if lost else "error"


def raised(outcome: Outcome | None) -> str:
    """Return what the code raised as one line; empty where it did not."""
    if outcome is None or not outcome.failures:
        return ""
    first = outcome.failures[0]
    text = first.evalue.partition("\n")[0]
    return f"{first.ename}: {text}" if text else first.ename


def diagnose(
    facts: JobFacts,
    outcome: Outcome | None,
    status: Status | None,
    *,
    cancelled: bool = False,
    last_words: str = "",
    place: str = "",
) -> NbbatchError | None:
    """Return why there are no values; None where the code ran, or raised by itself.

    Parameters
    ----------
    outcome
        None where the job left none.
    status
        The backend's last word, which knows more than the job about its end.
    cancelled
        Whether it was cancelled from here.
    last_words
        The end of the container's own log, where there is no outcome.
    place
        Which node of the job it is about, where there are several.
    """
    if outcome is not None and outcome.status in (spec.OK, spec.ERROR):
        return None
    if outcome is not None and outcome.status == spec.REFUSED:
        return _refusal(outcome, place)
    loss = status.loss if status is not None else None
    if cancelled or loss is Loss.CANCELLED:
        return errors.JobCancelledError(
            f"job {facts.id} ({facts.name}) was cancelled",
            status.reason if status is not None and not cancelled else "it was asked to stop",
            "run it again to have its result",
        )
    where = f"job {facts.id} ({facts.name})"
    return _lost(facts, f"{place} of {where}" if place else where, outcome, status, last_words)


def _refusal(outcome: Outcome, place: str) -> NbbatchError:
    kind = getattr(errors, outcome.error, None)
    if not (isinstance(kind, type) and issubclass(kind, NbbatchError)):
        kind = NbbatchError
    what = f"{place}: {outcome.what}" if place else outcome.what
    return kind(what, outcome.cause, outcome.hint)


def _lost(
    facts: JobFacts, where: str, outcome: Outcome | None, status: Status | None, last_words: str
) -> NbbatchError:
    loss = _known(outcome) or (status.loss if status is not None else None)
    reason = "; ".join(filter(None, [status.reason if status is not None else "", last_words]))
    if loss is Loss.MEMORY or (outcome is not None and outcome.out_of_memory):
        return _out_of_memory(facts, where)
    if loss is Loss.TIMEOUT:
        return errors.JobTimeoutError(
            f"{where} ran longer than its timeout",
            (outcome.cause if outcome is not None else "") or reason or "its backend ended it",
            "--timeout 2h, or do less in one job",
        )
    if loss is Loss.SPOT:
        return errors.SpotReclaimedError(
            f"{where} lost the instance that it ran on",
            reason or "the instance was taken away",
            "--retries 3, so that it starts again; or a queue without Spot",
        )
    if loss is Loss.IMAGE:
        return errors.ImageError(
            f"{where} could not start in its image {facts.asked.get('image') or ''}".rstrip(),
            reason or "the image can't be pulled, or its Python can't be run",
            "check the image's name and that it has Python: --image, --executable python3",
        )
    if spec.EXIT_UNWRITABLE in (outcome and outcome.exit_code, status and status.exit_code):
        return errors.StorageFullError(
            f"{where} could not write what came of it",
            reason or "its store took not even the outcome",
            "make room where the objects go, or return less (--out)",
        )
    return _died(facts, where, outcome, status, reason)


def _known(outcome: Outcome | None) -> Loss | None:
    return Loss(outcome.loss) if outcome is not None and outcome.loss else None


def _out_of_memory(facts: JobFacts, where: str) -> JobLostError:
    asked = int(facts.asked.get("memory") or 0)
    peak = facts.peak.memory >> 20 if facts.peak is not None else 0
    seen = f"; {peak} MiB were seen in use" if peak else ""
    return errors.OutOfMemoryError(
        f"{where} ran out of memory",
        f"it had asked for {asked} MiB and was killed for using more{seen}",
        f"--memory {max(asked * 2, 512)}",
    )


def _died(
    facts: JobFacts, where: str, outcome: Outcome | None, status: Status | None, reason: str
) -> JobLostError:
    if reason.startswith(DEPENDENCY):
        return JobLostError(
            f"{where} was not started", reason, "run the job that it depends on, then this one"
        )
    if outcome is None and (status is None or not status.exit_code):
        return JobLostError(
            f"{where} ended and left no outcome",
            reason or "nothing is known about why",
            f"%batch logs {facts.id} shows what its container said",
        )
    code = outcome.exit_code if outcome is not None else None
    if code is None and status is not None:
        code = status.exit_code
    return errors.ProcessDiedError(
        f"{where} died before it was done",
        _how(code, outcome.signal if outcome is not None else "", reason),
        f"%batch logs {facts.id} shows what it said until then",
    )


_SIGNALS = {
    "SIGSEGV": "a crash in native code (segmentation fault)",
    "SIGKILL": "it was killed from outside, often for its memory",
    "SIGABRT": "native code gave up (abort)",
    "SIGBUS": "a crash in native code, or a full disk under a mapped file",
    "SIGFPE": "a crash in native code (arithmetic)",
    "SIGILL": "native code that this processor does not have",
    "SIGTERM": "it was asked to end from outside",
}


def _how(code: int | None, signal: str, reason: str) -> str:
    if signal:
        return f"{signal}: {_SIGNALS.get(signal, 'it was ended by a signal')}"
    said = f"its process ended itself with exit code {code}, before the code was through"
    return f"{said} ({reason})" if reason else said
