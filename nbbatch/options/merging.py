"""Layers of values become one frozen `Options`."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any, Dict, Mapping

from nbbatch.errors import OptionError
from nbbatch.options.names import option_named
from nbbatch.options.table import Options

#: What only a job definition of our own can say: a job can't override it in somebody else's.
IN_DEFINITION = (
    "image",
    "iam_role",
    "execution_role",
    "service_account",
    "platform",
    "platform_version",
    "platform_capabilities",
    "assign_public_ip",
    "shared_memory",
    "max_swap",
    "swappiness",
    "ephemeral_storage",
    "secrets",
    "privileged",
    "user",
    "readonly_root",
    "init_process",
    "ulimits",
    "use_tmpfs",
    "tmpfs_size",
    "host_volumes",
    "efs_volumes",
    "inferentia",
    "trainium",
    "efa",
    "log_driver",
    "log_options",
)


def merge(*layers: Mapping[str, object]) -> Options:
    """Merge layers of values, the first that sets an option wins, and check each value.

    Tags, variables and parameters of all layers are taken together, name by name.

    Parameters
    ----------
    layers
        From the most specific (arguments) to the most general (the configuration file);
        a value of None counts as not set.

    Raises
    ------
    OptionError
        An unknown name, a value of the wrong kind or out of range, or two that contradict.
    """
    values: Dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            option = option_named(name)
            if value is None:
                continue
            if option.name not in values:
                values[option.name] = option.take(value)
            elif option.combined:
                both = {**option.take(value), **values[option.name]}
                values[option.name] = option.take(both)
    return _checked(Options(**values))


def merge_defaults(defaults: Mapping[str, object], *layers: Mapping[str, object]) -> Options:
    """Merge layers over the configuration's defaults.

    What the configuration says of job definitions (`IN_DEFINITION`) is meant for those of our
    own: a job that takes another one (`job_definition`) goes without.

    Raises
    ------
    OptionError
        As for `merge`.
    """
    whole = merge(*layers, defaults)
    if not whole.job_definition:
        return whole
    return merge(*layers, {k: v for k, v in defaults.items() if k not in IN_DEFINITION})


def kept(options: Options) -> Dict[str, Any]:
    """Return what is not as by default, as JSON values that `restored` takes."""
    fields = dataclasses.fields(options)
    values = {field.name: getattr(options, field.name) for field in fields}
    return {f.name: values[f.name] for f in fields if values[f.name] != f.default}


def restored(values: Mapping[str, Any]) -> Options:
    """Return the options of which `kept` has told; names of another version are passed over."""
    names = {field.name for field in dataclasses.fields(Options)}
    return Options(**{name: _frozen(v) for name, v in values.items() if name in names})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _checked(options: Options) -> Options:
    if options.inferentia and options.trainium:
        raise OptionError(
            f"inferentia = {options.inferentia} and trainium = {options.trainium} can't be used",
            "both are Neuron devices, and a job has one kind of them",
            "only one of the two, for example --trainium 1",
        )
    asks = [name for name in ("pypi", "requirements", "conda") if getattr(options, name)]
    if asks and options.env != "auto":
        raise OptionError(
            f"{' and '.join(asks)} can't be used with env = {options.env!r}",
            "that sends no packages",
            f"--env auto; or leave {' and '.join(asks)} out where the image has all of it",
        )
    return _without_hidden(options)


def _without_hidden(options: Options) -> Options:
    """Check that each variable has one value; leave out those that a secret may replace."""
    named = [variable for variable, _ in options.secrets or () if variable]
    environment = options.environment or {}
    for variable in named:
        if named.count(variable) > 1:
            raise OptionError(
                f"secrets gives {variable} twice", "a variable has one value", "keep one of them"
            )
        if variable in environment and not options.allow_override:
            raise OptionError(
                f"{variable} is among the secrets and in the environment",
                "a variable has one value",
                "keep one of them, or --allow-override, for the secret's",
            )
    if not set(named) & set(environment):
        return options
    kept = {name: said for name, said in environment.items() if name not in named}
    return replace(options, environment=kept)
