"""`Job`, a future for work elsewhere, and the one thread that watches all jobs.

==============  ================================================================
`job`           `Job`: what the user holds
`watcher`       asks the backend about all jobs at once and follows their stories
`tracker`       one job's story so far: facts, next frame, end
`story`         a job's frames, read from the store
`diagnosis`     what became of a job, as the error or nothing
`results`       what came back, unpickled
`rebuild`       exceptions and tracebacks from plain data
`replay`        frames to notebook outputs
`registry`      the jobs that this user started, on disk
`dependencies`  the jobs that another one waits for
`kept`          what a job keeps for its next attempt
`again`         a job that ran out of memory starts again with more
==============  ================================================================
"""

from nbbatch.futures.job import Job as Job

__all__ = ["Job"]
