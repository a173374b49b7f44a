"""The far side: runs one job in any image with Python 3.9 or newer and nothing else.

Standard library and `nbbatch.wire` only. Two processes, so that the job's story is told to its
end whatever the user's code does::

    monitor   claims the attempt, checks the input's seal, forks; reads what the child says and
       |      prints, samples its use, writes frames; writes the outcome if the child can't
       |  control pipe (frames, in order), stdout and stderr pipes (what C code and commands print)
    child     loads the values, runs the cell or function, writes the outcome

=============  ==================================================================
`boot`         how it gets into the container
`run`          the two processes
`notebook`     what a notebook gives a cell
`sampling`     what the job uses
`stores`       objects in a directory or in S3
=============  ==================================================================
"""
