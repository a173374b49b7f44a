"""Waiting for a job in front of the person who asked for it.

The watcher's thread brings facts and frames; the view shows them live. What belongs under the
cell as ordinary outputs is emitted here, in the main thread, in the job's own order. Ctrl-C or
Stop, and the view's own buttons, cancel the job or let it run on.

===========  ====================================================================
`following`  the view, the outputs in their order, Stop
`again`      a job that is looked at again
`pauses`     how a wait passes: blocking, or awaiting in the kernel's loop
`steps`      what is done before the job starts
`emitters`   ordinary outputs: of a kernel, a terminal, a plain process
===========  ====================================================================
"""

from nbbatch.follow.again import folded, show_again
from nbbatch.follow.emitters import Emitter, fitting_emitter
from nbbatch.follow.following import Detached, Follower, follow, following, show_detached
from nbbatch.follow.pauses import Pauses, awaiting, blocking, completed, stoppable
from nbbatch.follow.steps import Steps, starting

__all__ = [
    "Detached",
    "Emitter",
    "Follower",
    "Pauses",
    "Steps",
    "awaiting",
    "blocking",
    "completed",
    "fitting_emitter",
    "folded",
    "follow",
    "following",
    "show_again",
    "show_detached",
    "starting",
    "stoppable",
]
