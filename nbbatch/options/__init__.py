"""The table of options: each one's name, kind, default, environment variables and help, once.

==============  ===================================================================
`kinds`         what an option takes: single values
`collections`   what an option takes: several values, from a line or from Python
`packages`      what options that name packages take
`sources`       where secrets come from
`places`        what becomes of each option on AWS Batch, and where it has an effect
`row`           `Option`: what is known about one of them
`table`         `Options`, the table itself
`names`         an option by its name
`merging`       layers of values to one frozen `Options`
==============  ===================================================================

The decorator's arguments, the magic's flags, the terminal's flags, the documentation and the
request builder are derived from the fields of `Options`: an option that is not a field there
does not exist anywhere.
"""

from nbbatch.options.merging import IN_DEFINITION, kept, merge, merge_defaults, restored
from nbbatch.options.names import option_named, unknown
from nbbatch.options.row import Option
from nbbatch.options.table import Options, table

__all__ = [
    "IN_DEFINITION",
    "Option",
    "Options",
    "kept",
    "merge",
    "merge_defaults",
    "option_named",
    "restored",
    "table",
    "unknown",
]
