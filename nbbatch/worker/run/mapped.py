"""Runs a function over the items that one child of an array gets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbbatch.errors import NotPicklableError
from nbbatch.wire import graph, items, keys, parts, spec
from nbbatch.wire.graph import Item
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Store
from nbbatch.worker.run import cell, values
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.used import Used


@dataclass
class Mapped:
    """What became of the items.

    Attributes
    ----------
    values
        What those returned that did not raise, each named by its index.
    raised
        The others, and what they raised.
    used
        What the items took together; see `nbbatch.worker.run.used.Used.figures`.
    """

    values: List[Item] = field(default_factory=list)
    raised: List[Tuple[int, BaseException]] = field(default_factory=list)
    used: Dict[str, float] = field(default_factory=dict)

    def records(
        self, chain: Callable[[BaseException], List[Tuple[BaseException, str]]]
    ) -> List[Item]:
        """List what goes back: the values, and the exceptions with those behind them."""
        found = list(self.values)
        for index, error in self.raised:
            found += [
                (spec.EXCEPTION, f"{index}.{number}", each)
                for number, (each, _) in enumerate(chain(error))
            ]
        return found


def run(
    store: Store,
    identity: Identity,
    job: JobSpec,
    inputs: values.Inputs,
    function: Optional[Callable[..., Any]] = None,
) -> Mapped:
    """Call a function with each item; one that raises does not keep the next from its turn.

    Parameters
    ----------
    function
        Where it is not one that came in.
    """
    _tell_apart(identity)
    function = function or inputs.items[spec.FUNCTION]
    common, keywords = inputs.items.get(spec.ARGUMENTS, ((), {}))
    done, counted = Mapped(), Used()
    for name, arguments in _items(store, identity, job, inputs.namespace):
        try:
            value = cell.run_call(function, ((*arguments, *common), keywords))
        # A signal from outside is no item's own doing, and ends them all.
        except (Exception, SystemExit) as error:
            done.raised.append((int(name), error))
        else:
            done.values.append((spec.VALUE, name, value))
    done.used = counted.figures()
    if done.raised or len(done.values) > 1:
        _sort_out(done, inputs.namespace)
    return done


def _tell_apart(identity: Identity) -> None:
    """Tell each its place among all, as Batch tells it among those of one array job.

    A job of one child is told nothing by Batch, and of very many each belongs to one of several.
    """
    os.environ[keys.ENV_BATCH_ARRAY_INDEX] = str(identity.part)
    os.environ[keys.ENV_BATCH_ARRAY_SIZE] = str(identity.children)


def _items(
    store: Store, identity: Identity, job: JobSpec, namespace: Dict[str, Any]
) -> List[Tuple[str, Any]]:
    envelope = items.read(store, identity.key, identity.job, identity.part or 0)
    stream, *buffers = (
        parts.read(store, envelope, i, lent=True) for i in range(len(envelope.parts))
    )
    found = []
    for record in graph.load(stream, envelope.meta["records"], buffers, namespace):
        if record.error is not None:
            raise values.unreadable(record, job) from record.error
        found.append((record.name, record.value))
    return found


def _sort_out(done: Mapped, namespace: Dict[str, Any]) -> None:
    """Take it that an item has failed whose value can't go back: the others' values can."""
    failed = {name: (value, error) for _, name, value, error in _failures(done.values, namespace)}
    if not failed:
        return
    from nbbatch.wire.blame import sentence

    for name, (value, error) in failed.items():
        done.raised.append(
            (
                int(name),
                NotPicklableError(
                    f"the result of item {name} can't come back",
                    sentence("result", value, error),
                    "return something that pickles, or save it in the job",
                ),
            )
        )
    done.raised.sort(key=lambda pair: pair[0])
    done.values = [item for item in done.values if item[1] not in failed]


def _failures(
    found: List[Item], namespace: Dict[str, Any]
) -> List[Tuple[str, str, Any, BaseException]]:
    return values.dump(found, namespace).failures
