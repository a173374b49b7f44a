"""`nbbatch setup`: what jobs need on AWS, made, kept up to date and taken away again.

==============  =================================================================
`arguments`     the flags, and what they wish for
`making`        look, say, ask, make, write it down
`removing`      say, ask, take away: the results last
`place`         the section of the configuration file, the account, the stack
`configfile`    the user's ``config.toml``, edited line by line
`screen`        what is said and asked
==============  =================================================================

What happens in the account is in `nbbatch.backends.aws.setup`, which is loaded late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.setup.arguments import add_arguments

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def run(parsed: argparse.Namespace) -> int:
    """Do what the flags say; return the exit code.

    Raises
    ------
    NbbatchError
        What was not done, why, and what to type next.
    """
    if parsed.show:
        from nbbatch.backends.aws.setup.template import template

        print(template(), end="")
        return 0
    if parsed.delete:
        from nbbatch.setup.removing import remove

        return remove(parsed)
    from nbbatch.setup.making import make

    return make(parsed)
