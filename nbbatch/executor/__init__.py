"""`BatchExecutor`: `concurrent.futures` over jobs that stay and work off call after call.

==============  ==================================================================
`executor`      `BatchExecutor`: what the user holds
`call`          one call's future; its value is unpickled by whoever asks for it
`pool`          which worker gets which calls, and what becomes of them
`member`        one worker, as seen from here: what it was given, what it gave back
`ports`         what it needs of others
`choosing`      which worker gets the next calls
`posting`       the objects that go to workers and come from them
`sharing`       what several calls have in common is hashed and sent once
`starting`      what a worker needs, and its start
`broken`        why calls can't be made
`showing`       its card: workers, calls, what they print
`waiting`       waiting for it in a cell
`exiting`       the program's end
`pace`          how many calls go to a worker together
`joblib`        the same as a backend of joblib's
==============  ==================================================================
"""

from nbbatch.executor.executor import BatchExecutor

__all__ = ["BatchExecutor"]
