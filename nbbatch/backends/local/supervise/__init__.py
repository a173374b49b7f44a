"""What runs beside a local job, detached from the kernel: starts it, limits it, says how it is.

It starts in a bare interpreter on the way of every job, so whatever is imported before the job's
own process runs costs the user time: no `json`, `signal`, `dataclasses`, `typing` or `contextlib`
up to there.

==============  =================================================================
`job`           all attempts of one job
`attempt`       one attempt: spawn, watch, end
`nodes`         one attempt of a multi-node job: an `attempt` for each node
`children`      an array: a `job` for each child, some at a time
`stop`          whether it is to end early
`record`        the state file
`memory`        what a tree of processes uses
`processes`     finding and ending processes
==============  =================================================================
"""
