"""Where packages come from: what uv's own settings say, else what pip's say."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["uv_environment"]

#: Any of these says where uv is to look: pip's settings are then none of its business.
_OF_UV: Final = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
_OF_UV_TOO: Final = ("UV_FIND_LINKS", "UV_CONFIG_FILE")
#: Of the sections that pip reads, the later ones count.
_SECTIONS: Final = ("global", "install")


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which uv looks for packages where pip would."""
    found = dict(environ)
    # Its progress and colours are for terminals.
    found.update(NO_COLOR="1")
    if any(environ.get(name) for name in (*_OF_UV, *_OF_UV_TOO)) or _configured(environ):
        return found
    said = _pip_says(environ)
    # To pip all indexes are one; uv takes a name from the first one that has it, in any version.
    found.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX"}
    for ours, theirs in names.items():
        # What is no address on the network pip looks into as a folder, and uv does not.
        addresses = [each for each in said.get(ours, "").split() if each.startswith("http")]
        if addresses:
            found[theirs] = " ".join(addresses)
    links = said.get("find-links", "").split()
    places = [each for each in links if os.path.isdir(each) or each.startswith("http")]
    if places:
        found["UV_FIND_LINKS"] = ",".join(places)
    if said.get("trusted-host"):
        found["UV_INSECURE_HOST"] = said["trusted-host"]
    if said.get("cert"):
        found.setdefault("SSL_CERT_FILE", said["cert"])
    return found


def _configured(environ: Mapping[str, str]) -> bool:
    """Tell whether uv has a configuration file of the user's or the system's."""
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return any(os.path.exists(path) for path in (f"{home}/uv/uv.toml", "/etc/uv/uv.toml"))


def _pip_says(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings, of all its files and of the environment.

    https://pip.pypa.io/en/stable/topics/configuration/
    """
    said: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in _SECTIONS:
            if parser.has_section(section):
                said.update(parser.items(section))
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            said[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return said


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's configuration files, the most general first."""
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return
    home = Path.home()
    yield from (Path(base, "pip", "pip.conf") for base in ("/etc/xdg",))
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield home / "Library" / "Application Support" / "pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if own:
        yield Path(own)
