"""Layers of values become one frozen `Options`."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from nbbatch.errors import OptionError
from nbbatch.options.table import Options, option_named


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
                values[option.name] = {**option.take(value), **values[option.name]}
    return _checked(Options(**values))


def _checked(options: Options) -> Options:
    if options.inferentia and options.trainium:
        raise OptionError(
            f"inferentia = {options.inferentia} and trainium = {options.trainium} can't be used",
            "both are Neuron devices, and a job has one kind of them",
            "only one of the two, for example --trainium 1",
        )
    return options
