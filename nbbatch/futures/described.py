"""What can be told about a job whatever becomes of it."""

from __future__ import annotations

from nbbatch.facts import JobFacts
from nbbatch.futures.records.registry import Record
from nbbatch.futures.watching.strand import Strand
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.wire.upstream import Promised, Reference


class Described(Promised):
    """A job that is followed here: what it is, and how."""

    _tracker: Tracker
    _record: Record
    _key: bytes

    @property
    def facts(self) -> JobFacts:
        """All that is known about the job now."""
        return self._tracker.facts

    @property
    def id(self) -> str:
        """The job's id, minted by nbbatch."""
        return self.facts.id

    @property
    def name(self) -> str:
        """The job's name."""
        return self.facts.name

    @property
    def state(self) -> str:
        """The state, as AWS Batch names it."""
        return str(self.facts.state)

    @property
    def batch_job_id(self) -> str:
        """The backend's own id of the job."""
        return self.facts.batch_job_id

    @property
    def record(self) -> Record:
        """What is noted of the job on this machine."""
        return self._record

    @property
    def kind(self) -> str:
        """``"cell"`` or ``"call"``."""
        return self._record.kind

    @property
    def place(self) -> str:
        """Where the job's objects are: the root of its store."""
        return self._record.place

    def promised(self) -> Reference:
        """Return what stands for its result, where it is given to another job."""
        return Reference(self)

    @property
    def catch(self) -> str | None:
        """The variable that what goes wrong is bound to; ``""`` for none, None to raise it."""
        return self._record.catch

    @property
    def lazy(self) -> bool:
        """Whether its results stay in the store until somebody here looks at them."""
        return self._record.lazy

    def strand(self, node: int) -> Strand:
        """Return what a node has said and left."""
        return self._tracker.strands[node]

    @property
    def print_exception(self) -> bool:
        """Whether what is caught is shown."""
        return self._record.print_exception

    @property
    def nodes(self) -> int:
        """How many nodes the job has."""
        return len(self._tracker.strands)
