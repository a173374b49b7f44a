"""A session's libraries: what its jobs need of them, and what is known of where they run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.backends.base import Backend, Target
from nbbatch.capture.values import Captured
from nbbatch.errors import ImageError, LibraryError, OptionError, as_error
from nbbatch.futures.job import Job
from nbbatch.futures.records.registry import Record
from nbbatch.options import Options
from nbbatch.wire import attempts, keys, spec
from nbbatch.wire.envelope import Stamp, job_key, seal, unseal
from nbbatch.wire.graph import Graph

if TYPE_CHECKING:
    from nbbatch.libraries import Librarian
    from nbbatch.libraries.plan import Plan
    from nbbatch.libraries.prefixes import Ask, Prefix
    from nbbatch.libraries.sending import Say

#: What the option `env` may say, besides auto.
IMAGE, NONE = "image", "none"


class Supply:
    """Gives jobs their libraries; loads what that takes only for those that need some.

    Parameters
    ----------
    home
        nbbatch's own directory.
    secret
        Behind the keys of jobs.
    """

    def __init__(self, home: Path, backend: Backend, secret: bytes) -> None:
        self._folder = home / "cache"
        self._backend = backend
        self._secret = secret
        #: What the jobs that run want, should they have to start again.
        self._wanted: dict[str, Captured] = {}
        self._warned: set[str] = set()

    def sent(
        self, captured: Captured, options: Options, say: Say | None = None
    ) -> Mapping[str, Any]:
        """Send what a job lacks of the modules that it wants; return what it is told of them.

        Raises
        ------
        LibraryError
            Something can't be had for the place where it is to run, or would not work there.
        """
        try:
            return self._sent(captured, options, say)
        except (LibraryError, ImageError, OptionError) as error:
            target = self._backend.runner.target(options)
            if not target.known and self._librarian.known(target).known:
                # What is refused never looks for itself: the next one does.
                self._librarian.unlearn(target.name)
                error.hint += "; where the image is another one by now, run it again"
            raise

    def _sent(
        self, captured: Captured, options: Options, say: Say | None = None
    ) -> Mapping[str, Any]:
        if not _concerned(captured, options):
            return self._plainly(captured, options)
        target = self._backend.runner.target(options)
        if target.here and not _asks(options) and options.python in (None, target.python):
            return {}
        from nbbatch.libraries.sending import silent

        say = say or silent
        target = self._librarian.known(target)
        prefix = self._prefix(captured, target, options)
        if prefix is not None:
            return self._with_prefix(captured, prefix, target, options, say)
        plan = self._plan(captured, target, options, say)
        self._warn(_differing(plan, options))
        if options.env == IMAGE:
            return self._compared(plan)
        return self._librarian.send(plan, say).meta()

    def versions(self, captured: Captured, options: Options) -> Mapping[str, str]:
        """Return the kernel's libraries that a job computes with, by name, with their versions."""
        if options.env == NONE or not captured.wants:
            return {}
        from nbbatch.libraries.targets import kernel_target

        plan = self._librarian.plan(captured.wants, kernel_target(), captured.graph)
        return {item.name: item.version for item in plan.items}

    def _plainly(self, captured: Captured, options: Options) -> Mapping[str, Any]:
        """Send nothing; refuse a Python that is another than the one that is needed."""
        if options.python or captured.graph.bytecode:
            from nbbatch.libraries.prefixes import refusal

            ask, target = _ask(captured, options), self._backend.runner.target(options)
            if target.known and target.python != ask.needed:
                raise refusal(ask, target, f"env = {options.env!r} sends none")
        return {}

    def _prefix(self, captured: Captured, target: Target, options: Options) -> Prefix | None:
        """Return the interpreter that goes along; None where the target's own will do."""
        from nbbatch.libraries.prefixes import refusal

        ask = _ask(captured, options)
        prefix = self._librarian.prefix(ask, target)
        # What is not known yet is not refused either: the job looks before it begins.
        if prefix is not None and options.env == IMAGE:
            if target.known:
                raise refusal(ask, target, "env = 'image' sends none")
            return None
        return prefix

    def _with_prefix(
        self, captured: Captured, prefix: Prefix, base: Target, options: Options, say: Say
    ) -> Mapping[str, Any]:
        from nbbatch.libraries.prefixes import added, fitted

        # First: only then is it known for certain what it has.
        layers = prefix.layers(self._backend.store, say)
        plan = fitted(self._plan(captured, prefix.target, options, say), prefix)
        self._warn([*_differing(plan, options), *prefix.notes])
        return added(self._librarian.send(plan, say), prefix, layers, base).meta()

    def described(self, captured: Captured, options: Options) -> str:
        """Say what a job would be given, and why; nothing is sent."""
        from nbbatch.libraries.prefixes import fitted
        from nbbatch.libraries.sending import silent
        from nbbatch.libraries.telling import described

        target = self._librarian.known(self._backend.runner.target(options))
        prefix = self._prefix(captured, target, options)
        if prefix is None:
            plan, lines = self._plan(captured, target, options, silent), []
        else:
            plan = fitted(self._plan(captured, prefix.target, options, silent), prefix)
            lines = [prefix.reason, *prefix.notes]
        table = described(plan, options.env, self._librarian.kept(plan))
        own = [f"as files: {', '.join(captured.places)}"] if captured.places else []
        return "\n".join([*lines, table, *own, *_differing(plan, options)])

    def _plan(self, captured: Captured, target: Target, options: Options, say: Say) -> Plan:
        from nbbatch.libraries.asked import read_file, requested, together
        from nbbatch.libraries.beside import lacking
        from nbbatch.libraries.installed import installed

        librarian = self._librarian
        plan = librarian.plan(captured.wants, target, captured.graph)
        if options.env == IMAGE:
            return plan
        lacks = lacking(captured.wants, installed(), Path.cwd(), target)
        plan = librarian.with_asked(plan, lacks, say)
        asked = requested(options.pypi or ())
        if options.requirements:
            asked = together(read_file(Path(options.requirements).expanduser()), asked)
        return librarian.with_asked(plan, asked, say)

    def _warn(self, notes: Sequence[str], place: str = "") -> None:
        """Say once what is different than somebody may expect."""
        new = [each for each in notes if place + each not in self._warned]
        if new:
            self._warned.update(place + each for each in new)
            warnings.warn_explicit(place + "; ".join(new), RuntimeWarning, "<nbbatch>", 1)

    def _compared(self, plan: Plan) -> Mapping[str, Any]:
        """Say beforehand what would not work with the image alone, where it is known."""
        from nbbatch.libraries.plan import misfits
        from nbbatch.wire.layers import Libraries

        if not plan.target.known:
            return Libraries(report=True).meta()
        refused, differing = misfits(plan)
        if refused:
            raise LibraryError(
                f"the job would not run on {plan.target.name} as it is",
                "; ".join(refused),
                "--env auto, which sends what is missing or differs, or another --image",
            )
        self._warn(differing, f"{plan.target.name}: ")
        return {}

    def observe(self, job: Job[Any], captured: Captured, options: Options) -> None:
        """Remember what a job that was submitted will tell of the image it runs on."""
        if self._speaks(captured, options):
            from nbbatch.libraries.learning import Learner

            # Not its values: only what it wants.
            seen = captured.graph
            graph = Graph(memoryview(b""), [], [], types=seen.types, words=seen.words)
            graph.bytecode = seen.bytecode
            self._wanted[job.id] = Captured(graph, wants=captured.wants)
            job.add_done_callback(lambda done: self._wanted.pop(job.id, None))
            name = self._backend.runner.target(options).name
            job.observe(Learner(lambda found: self._librarian.learn(name, found)))

    def _speaks(self, captured: Captured, options: Options) -> bool:
        """Tell whether a job is told of libraries, and so may say something of its image."""
        if not _concerned(captured, options):
            return False
        return _asks(options) or not self._backend.runner.target(options).here

    def renew(self, record: Record, options: Options, what: str) -> bool:
        """Give a job that was refused libraries that fit; tell whether it could be done.

        Parameters
        ----------
        what
            What the job has said is wrong: see `nbbatch.wire.spec.Outcome.renew`.

        Raises
        ------
        NbbatchError
            It can't run there, whatever it is given; or the store fails.
        """
        stamp = Stamp(job_key(self._secret, record.id), spec.INPUT, record.id)
        captured = self._wanted.get(stamp.job)
        data = self._backend.store.get(keys.input_(stamp.job))
        if captured is None or data is None:
            return False
        if what == spec.LAYERS:
            self._librarian.forget()
        try:
            libraries = self._sent(captured, options)
        # Whoever waits for the job must learn of it, whatever it is.
        except Exception as error:
            raise as_error(error, f"{record.name} can't start again") from error
        old = unseal(data, stamp.key, stamp.kind, stamp.job)
        meta = {**old.meta, "libraries": libraries, "attempts": old.meta["attempts"] + 1}
        inline = [old.inline(i) for i, part in enumerate(old.parts) if not part.blob]
        self._backend.store.put(keys.input_(stamp.job), seal(*stamp, meta, old.parts, inline))
        return True

    def settle(self) -> None:
        """Wait until nothing is done in the background for later jobs any more."""
        if "_librarian" in vars(self):
            self._librarian.settle()

    @cached_property
    def _librarian(self) -> Librarian:
        from nbbatch.libraries import Librarian

        return Librarian(self._folder, self._backend.store)


def _asks(options: Options) -> bool:
    return bool(options.pypi or options.requirements or options.conda)


def _ask(captured: Captured, options: Options) -> Ask:
    from nbbatch.libraries.prefixes import Ask

    return Ask(
        python=options.python or "",
        bytecode=captured.graph.bytecode,
        conda=options.conda or (),
        channels=options.conda_channels or (),
        gpu=options.gpu > 0,
    )


def said_in(file: str | None) -> str:
    """Return what a file of requirements says, with those that it names; empty for none.

    Raises
    ------
    LibraryError
        It is not there, or can't be read.
    """
    if not file:
        return ""
    from nbbatch.libraries.asked import read_file

    return repr(read_file(Path(file).expanduser(), lenient=True))


def _differing(plan: Plan, options: Options) -> list[str]:
    """Say in what a job differs from the kernel, or from a file beside the notebook."""
    from nbbatch.libraries import beside, loaded, telling

    if options.env == IMAGE:
        return []
    # Who asks for versions by name knows better than a file.
    files = [] if _asks(options) else beside.differing(plan, Path.cwd())
    return [*loaded.outdated(plan), *telling.replaced(plan), *files]


def _concerned(captured: Captured, options: Options) -> bool:
    """Tell whether anything is to be done about a job's libraries, or its interpreter."""
    needs = bool(captured.wants) or captured.graph.bytecode
    return options.env != NONE and (needs or _asks(options) or bool(options.python))


def starts_again(captured: Captured, options: Options) -> bool:
    """Tell whether a job may have to be started again from here."""
    return _concerned(captured, options) or attempts.grows(options.retry_on or ())
