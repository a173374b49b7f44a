"""Whether the job is to stop: a file that anyone may leave, or a signal to the supervisor."""

# The built-in part of `signal`, whose enumerations would cost every job a few milliseconds.
import _signal  # type: ignore[import-not-found]
import os

from .record import STOP_FILE


class Stop:
    """The wish that one job should end.

    Parameters
    ----------
    folder
        Of the job.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, STOP_FILE)
        self._signalled = ""

    def listen(self) -> None:
        """Take SIGTERM as a wish to stop; what a terminal sends is not meant for this process."""
        _signal.signal(_signal.SIGTERM, self._take)
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
        _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)

    def _take(self, number: int, _: object) -> None:
        self._signalled = "the job's supervisor was told to end (SIGTERM)"

    def reason(self) -> str:
        """Return why the job is to stop; empty while it is not."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return file.read() or "stopped"
        except OSError:
            return self._signalled
