"""The decorators that name packages for the job alone; arguments are Metaflow's."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Union

from nbbatch.decorators.stacking import stackable

__all__ = ["conda", "pypi"]

Packages = Union[Mapping[str, str], List[str], None]


@stackable('@pypi(packages={"pandas": "2.2"}, python="3.11")', pypi="packages")
def pypi(packages: Packages = None, python: Optional[str] = None) -> Dict[str, Any]:
    """Give the job packages of an index, besides those of the kernel that it needs.

    Parameters
    ----------
    packages
        Name to version, ``"2.2"`` (that very one), ``">=2"`` or ``""`` (any), or a list of
        requirements.
    python
        The job's Python by its minor version, ``"3.11"``; the kernel's own where it is left out.
    """
    return {"pypi": packages or None, "python": python}


@stackable(
    '@conda(packages={"gdal": ">=3.8"}, python="3.11")',
    conda="packages",
    conda_channels="channels",
)
def conda(
    packages: Packages = None,
    python: Optional[str] = None,
    channels: Union[str, List[str], None] = None,
) -> Dict[str, Any]:
    """Give the job an environment of conda's packages, with an interpreter of its own.

    Parameters
    ----------
    packages
        Name to version, ``"3.8"`` or ``">=3.8"``, or a list of specifications as conda takes
        them; ``channel::name`` names the channel too.
    python
        The environment's Python, ``"3.11"``; the kernel's own where it is left out.
    channels
        Where packages come from: names or addresses; conda-forge where it is left out.
    """
    return {"conda": packages or None, "python": python, "conda_channels": channels}
