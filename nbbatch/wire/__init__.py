"""What travels between the kernel and the job, and nothing about how it is moved.

Standard library and cloudpickle only, Python 3.9 and newer: this package runs on both sides.

==============  =================================================================
`keys`          the name of every object and every environment variable
`digest`        content addresses, computed and checked in pieces
`envelope`      a sealed object: header, HMAC, parts
`graph`         named values as one pickle graph, buffers out of band
`pickling`      how a value is pickled
`tensors`       PyTorch tensors as such buffers
`blame`         which part of a value does not pickle
`frames`        the job's story: output, metrics, states
`attempts`      when another attempt follows
`checkpoints`   what a job keeps for its next attempt
`here`          what the worker lends to `nbbatch.current`
`folders`       files and folders as parts of one
`spec`          what is to run, and what became of it
`store`         the port through which both sides move bytes
`parts`         envelope parts to and from a store, large ones content-addressed
`files`         local modules as one archive
==============  =================================================================
"""

#: Raised with every change that an older reader would misunderstand.
VERSION = 1
