"""`Job`, a future for work elsewhere, and the one thread that watches all jobs.

==============  ================================================================
`job`           `Job`: what the user holds
`watcher`       asks the backend about all jobs at once and follows their stories
`tracker`       one job's story so far: facts, next frames, end
`strand`        the same of one process: a job's only one, or a node
`changes`       what frames and states change about the facts
`story`         frames, read from the store
`archive`       all that a job has said, read again
`labels`        whose output it is, where there are several nodes
`ending`        how a job ended, and which of its nodes decided that
`diagnosis`     what became of a process, as the error or nothing
`results`       what came back from one process, unpickled
`returned`      the same of all nodes, once
`unread`        stands for an exception that nobody has unpickled
`rebuild`       exceptions and tracebacks from plain data
`replay`        frames to notebook outputs
`registry`      the jobs that this user started, on disk
`dependencies`  the jobs that another one waits for
`kept`          what a job keeps for its next attempt
`again`         a job that ran out of memory starts again with more
`array`         array jobs: one job with up to 10,000 children
==============  ================================================================
"""

from nbbatch.futures.array.job import ArrayJob as ArrayJob
from nbbatch.futures.job import Job as Job

__all__ = ["Job"]
