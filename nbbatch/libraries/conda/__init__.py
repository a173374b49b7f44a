"""Environments of conda's packages, for the job alone.

==============  =================================================================
`environment`   what is asked for, to layers and what code finds there
`solving`       which packages that are, from which channels; by `rattler`
`linking`       a package to the files of its layer, as conda would install it
==============  =================================================================
"""

from __future__ import annotations

from nbbatch.libraries.conda.environment import Environment as Environment

__all__ = ["Environment"]
