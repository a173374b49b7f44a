"""The table of options: each one's name, kind, default, environment variables and help, once.

==============  ===================================================================
`kinds`         what an option takes: single values
`collections`   what an option takes: several values, from a line or from Python
`sources`       where secrets come from
`places`        what becomes of each option on AWS Batch, and where it has an effect
`row`           `Option`: what is known about one of them
`table`         `Options`, the table itself
`merging`       layers of values to one frozen `Options`
==============  ===================================================================

The decorator's arguments, the magic's flags, the terminal's flags, the documentation and the
request builder are derived from the fields of `Options`: an option that is not a field there
does not exist anywhere.
"""

from nbbatch.options.merging import IN_DEFINITION, kept, merge, merge_defaults, restored
from nbbatch.options.row import Option
from nbbatch.options.table import Options, option_named, table, unknown

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
