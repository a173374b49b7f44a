"""Settings, resolved once to a frozen value: arguments > environment > file > Metaflow's.

Own variables (``NBBATCH_*``) and the own file come first; a setting that neither has falls back
to Metaflow's of the same meaning (`nbbatch.metaflow`).
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbbatch import metaflow, prices
from nbbatch.errors import ConfigurationError
from nbbatch.options import option_named, table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "Settings",
    "configured",
    "given_secret",
    "is_secret",
    "secret",
    "taken_secret",
    "user_home",
]

BACKENDS = ("local", "aws")

#: Settings beside the options: name, own variables first, then Metaflow's.
_VARIABLES: dict[str, tuple[str, ...]] = {
    "backend": ("NBBATCH_BACKEND",),
    "s3_root": ("NBBATCH_S3_ROOT", "METAFLOW_DATASTORE_SYSROOT_S3"),
    "region": ("NBBATCH_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": ("NBBATCH_AWS_PROFILE", "AWS_PROFILE"),
    "prices": ("NBBATCH_PRICES",),
    "endpoint_url": ("NBBATCH_ENDPOINT_URL", "METAFLOW_S3_ENDPOINT_URL"),
    "registry": (
        "NBBATCH_REGISTRY",
        "METAFLOW_BATCH_CONTAINER_REGISTRY",
        "METAFLOW_DEFAULT_CONTAINER_REGISTRY",
    ),
}
_VARIABLES.update({option.name: option.environment for option in table()})


@dataclass(frozen=True)
class Settings:
    """Where jobs run and what they get unless they ask for something else.

    Attributes
    ----------
    backend
        ``"local"`` or ``"aws"``; without being set, ``"aws"`` where there is an `s3_root`.
    s3_root
        ``s3://bucket/prefix`` under which all objects of nbbatch lie.
    home
        Where nbbatch keeps its own files on this machine.
    registry
        Stands before the name of an image that names no registry; ``aws`` only.
    prices
        What an hour costs, for the card: ``vcpu``, ``memory`` (a GB), ``gpu``, whole instances by
        the names of their types, and the ``currency``. See `nbbatch.prices`.
    defaults
        Options by name, checked.
    sources
        Where each setting came from, for ``%batch config``.
    """

    backend: str
    home: Path
    s3_root: str = ""
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    registry: str | None = None
    prices: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def user_home(environ: Mapping[str, str]) -> Path:
    """Return the folder of nbbatch's own files: ``$NBBATCH_HOME``, else ``~/.nbbatch``."""
    given = environ.get("NBBATCH_HOME")
    return Path(given).expanduser().absolute() if given else Path.home() / ".nbbatch"


def configured(arguments: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Resolve all settings.

    Parameters
    ----------
    arguments
        What `nbbatch.configure` was called with; None values count as not given.

    Raises
    ------
    ConfigurationError
        A file that can't be read, an unknown setting in it, or a contradiction.
    OptionError
        An option's value is of the wrong kind or out of range.
    """
    home = user_home({**environ, **_home(arguments)})
    found = _Found(_layers(arguments, environ, home))
    s3_root = (found.text("s3_root") or "").rstrip("/")
    backend = found.text("backend") or ("aws" if s3_root else "local")
    _check(backend, s3_root, found.sources)
    return Settings(
        backend=backend,
        home=home,
        s3_root=_own_root(s3_root, found.sources.get("s3_root", "")),
        region=found.text("region"),
        profile=found.text("profile"),
        endpoint_url=found.text("endpoint_url"),
        registry=found.text("registry"),
        prices=found.prices(),
        defaults=found.options(),
        sources=found.sources,
    )


def _home(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {"NBBATCH_HOME": str(arguments["home"])} if arguments.get("home") else {}


#: A layer: values by the setting's name, each with where it was said.
_Layer = Mapping[str, tuple[Any, str]]


def _layers(arguments: Mapping[str, Any], environ: Mapping[str, str], home: Path) -> list[_Layer]:
    """Return the layers, the first that has a setting wins; keys are setting names."""
    path = home / "config.toml"
    return [
        _said({k: v for k, v in arguments.items() if v is not None}, "configure()"),
        _from_variables(environ),
        _said(_from_file(path, environ), str(path)),
        _from_metaflow(environ),
    ]


def _said(values: Mapping[str, Any], where: str) -> _Layer:
    return {name: (value, where) for name, value in values.items()}


def _from_variables(values: Mapping[str, Any]) -> _Layer:
    found: dict[str, tuple[Any, str]] = {}
    for name, variables in _VARIABLES.items():
        for variable in variables:
            if not variable.startswith(metaflow.PREFIX) and values.get(variable):
                found.setdefault(name, (values[variable], variable))
    return found


def _from_metaflow(environ: Mapping[str, str]) -> _Layer:
    """Return Metaflow's settings, each from the first of its variables."""
    values = metaflow.settings(environ)
    found: dict[str, tuple[Any, str]] = {}
    for name, variables in _VARIABLES.items():
        said = next((variable for variable in variables if variable in values), None)
        # As in Metaflow, an empty variable hides what stands behind it.
        if said is not None and values[said] not in (None, ""):
            where = said if said in environ else f"{said} in Metaflow's configuration"
            found[name] = (values[said], where)
    return found


def _from_file(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} can't be read", str(error), "correct it") from error
    profiles = content.pop("profiles", {})
    wanted = environ.get("NBBATCH_PROFILE")
    if wanted and wanted not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(
            f"there is no profile {wanted!r} in {path}",
            f"NBBATCH_PROFILE names it; the profiles there are: {known}",
            f"add a section [profiles.{wanted}], or unset NBBATCH_PROFILE",
        )
    settings = {**content, **(profiles[wanted] if wanted else {})}
    for name in settings:
        if name not in _VARIABLES:
            option_named(name)
    return settings


class _Found:
    """Takes settings from the layers and remembers where each came from."""

    def __init__(self, layers: list[_Layer]) -> None:
        self._layers = layers
        self.sources: dict[str, str] = {}

    def text(self, name: str) -> str | None:
        value = self._take(name)
        return None if value is None else str(value)

    def prices(self) -> dict[str, Any]:
        value = self._take("prices")
        return {} if value is None else prices.checked(value, self.sources["prices"])

    def options(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for option in table():
            value = self._take(option.name)
            if value is not None:
                values[option.name] = option.take(value, self.sources[option.name])
        return values

    def _take(self, name: str) -> Any:
        for layer in self._layers:
            if name in layer:
                value, self.sources[name] = layer[name]
                return value
        return None


def _check(backend: str, s3_root: str, sources: Mapping[str, str]) -> None:
    if backend not in BACKENDS:
        raise ConfigurationError(
            f"there is no backend {backend!r}",
            f"set in {sources.get('backend', 'the configuration')}",
            "use local or aws",
        )
    if s3_root and not s3_root.startswith("s3://"):
        raise ConfigurationError(
            f"s3_root = {s3_root!r} is not a place in S3",
            f"set in {sources['s3_root']}",
            "for example NBBATCH_S3_ROOT=s3://my-bucket/nbbatch",
        )
    if backend == "aws" and not s3_root:
        raise ConfigurationError(
            "the aws backend has no bucket",
            "no s3_root is configured",
            "nbbatch.configure(s3_root='s3://my-bucket/nbbatch') or NBBATCH_S3_ROOT",
        )


def _own_root(s3_root: str, source: str) -> str:
    """Keep apart from Metaflow's own objects where the root is Metaflow's."""
    metaflow = s3_root and source not in ("configure()",) and s3_root.endswith("/metaflow")
    return f"{s3_root}/nbbatch" if metaflow else s3_root


def given_secret(environ: Mapping[str, str]) -> str:
    """Return ``NBBATCH_SECRET``: what is in another machine's file, or where AWS keeps it."""
    return environ.get("NBBATCH_SECRET", "").strip()


def is_secret(text: str) -> bool:
    """Tell whether a text is what the file of a secret holds."""
    return re.fullmatch(r"[0-9a-f]{64}", text.strip()) is not None


def taken_secret(text: str) -> bytes:
    """Read a secret.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    if not is_secret(text):
        raise ConfigurationError(
            "NBBATCH_SECRET can't be used",
            "it is neither 64 hexadecimal digits nor where AWS keeps them",
            "take what is in ~/.nbbatch/secret of the machine that started your jobs",
        )
    return bytes.fromhex(text.strip())


def secret(home: Path) -> bytes:
    """Return the user's secret, from which each job's key is derived; make it on first use.

    It lies in a file that only the user can read and never leaves the machine.
    """
    path = home / "secret"
    try:
        return bytes.fromhex(path.read_text())
    except FileNotFoundError:
        pass
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"secret.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    try:
        # Two kernels may start at once: the first to link wins, both read the same.
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return bytes.fromhex(path.read_text())
