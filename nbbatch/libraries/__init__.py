"""The libraries of the kernel's environment, on their way to the job.

==============  =================================================================
`installed`     what is installed here, and which distribution brings which module
`needs`         what a job needs of it, and why
`targets`       whether what is installed here runs there
`asked`         what is asked for by name, or by a file of requirements
`requirements`  such a file as pip reads it
`locks`         what a lock pins, and where that counts
`projects`      what a project needs
`beside`        what a file beside the notebook says, and in what the kernel differs from it
`loaded`        what the kernel still runs of what was installed anew
`plan`          what is sent, there already, or refused
`telling`       a plan in words
`building`      an installed distribution to the pieces of its layer
`compiling`     bytecode for what has none, in the background
`sending`       pieces into the store
`ledger`        what this machine remembers
`resolving`     what is had from an index of packages instead, by `uv`
`indexes`       where packages come from: the settings of uv, or of pip
`librarian`     all of these together
==============  =================================================================
"""

from __future__ import annotations

from nbbatch.libraries.librarian import Librarian as Librarian

__all__ = ["Librarian"]
