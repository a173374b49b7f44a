"""Results of earlier jobs, for later ones like them (the option ``cache``).

===========  ====================================================================
`reuse`      which earlier result will do for a job
`results`    results in the store: kept, found, checked
`identity`   all that a job's result depends on, as far as it can be told, digested
`canonical`  a digest of values that is the same in every process
`shelf`      a store in which some of a job's objects lie as they were kept
===========  ====================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.caching.reuse import Reuse, tallied, told

if TYPE_CHECKING:
    from nbbatch.caching.results import Earlier as Earlier

__all__ = ["Reuse", "tallied", "told"]
