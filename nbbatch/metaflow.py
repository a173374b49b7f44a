"""Metaflow's own configuration, read as Metaflow reads it.

Its variables come first, then the file of the project (``.metaflow/config.json`` in the working
directory or above it), then the user's (``$METAFLOW_HOME/config_<METAFLOW_PROFILE>.json``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbbatch.errors import ConfigurationError

__all__ = ["PREFIX", "settings"]

PREFIX = "METAFLOW_"
_PROJECT = ".metaflow"


def settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what is set, by the names of Metaflow's variables.

    Raises
    ------
    ConfigurationError
        A file can't be read, or the profile has none.
    """
    variables = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    return {**_user(environ), **_project(), **variables}


def _user(environ: Mapping[str, str]) -> dict[str, Any]:
    home = Path(environ.get("METAFLOW_HOME") or "~/.metaflowconfig").expanduser()
    profile = environ.get("METAFLOW_PROFILE")
    path = home / (f"config_{profile}.json" if profile else "config.json")
    if profile and not path.exists():
        raise ConfigurationError(
            f"there is no configuration of Metaflow's for the profile {profile!r}",
            f"METAFLOW_PROFILE names it, and {path} does not exist",
            "metaflow configure aws --profile NAME makes one, or unset METAFLOW_PROFILE",
        )
    return _read(path)


def _project() -> dict[str, Any]:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / _PROJECT).is_dir():
            return _read(folder / _PROJECT / "config.json")
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Metaflow's configuration {path} can't be read", str(error), "correct it"
        ) from error
    return content if isinstance(content, dict) else {}
