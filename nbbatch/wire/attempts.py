"""When another attempt follows, and how long one may take: one rule for all who act on it.

The worker says it in its outcome, the local supervisor and AWS Batch (``evaluateOnExit``) do it,
the client shows it. Imports nothing: the supervisor loads it too.
"""

#: How an attempt may have ended, as far as that is no exit code; ``""`` is not known.
EXIT = "exit"  # by itself: its exit code says how
IMAGE = "image"  # its container could not be started
MEMORY = "memory"
SPOT = "spot"
#: The other words of the option ``retry_on``: the code raised (exit code 1), and all together.
ERROR = "error"
ANY = "any"
RAISED = 1

#: The worker's exit code where the code ran longer than its timeout, as that of timeout(1).
EXIT_TIMEOUT = 124
#: Seconds that the backend gives the worker beyond the timeout, to end the code and to tell.
MARGIN = 60


def again(conditions: "tuple[str, ...]", end: str, code: "int | None" = None) -> bool:
    """Tell whether an attempt that ended so is tried again, if any attempt is left.

    Parameters
    ----------
    conditions
        The option ``retry_on``; none of them is all of them.
    end
        How it ended. Where it is ``""``, any end that `conditions` name may have been it.
    code
        The exit code, where there is one.
    """
    if not conditions or ANY in conditions or (code is not None and str(code) in conditions):
        return True
    if end == EXIT:
        return code == RAISED and ERROR in conditions
    return end in conditions if end else not {MEMORY, SPOT}.isdisjoint(conditions)


def grows(conditions: "tuple[str, ...]") -> bool:
    """Tell whether an attempt that ran out of memory is followed by one with more of it.

    No backend can do that within one job of its own: the client starts another one.
    """
    return MEMORY in conditions


def leeway(minutes_between: float) -> int:
    """Return the seconds by which a backend ends an attempt later than its timeout.

    The worker ends the code in time; it may have waited before, since no backend does.
    """
    return MARGIN + int(minutes_between * 60)
