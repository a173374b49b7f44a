"""What several decorators say of one function, together: the same in any order."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from nbbatch.errors import OptionError
from nbbatch.options import merge, option_named

__all__ = ["Said", "Stacked", "carried", "checked", "resolved", "with_another"]

#: Options by name, as one decorator says them.
Said = Dict[str, Any]
#: What each decorator but `@batch` says, by its name.
Stacked = Mapping[str, Said]

#: Where a plain function carries it until `@batch` comes; `functools.wraps` copies it.
CARRIED = "__nbbatch__"
RESOURCES = "resources"


def checked(options: Mapping[str, Any]) -> Said:
    """Check options and return those that are set, by their own names.

    Raises
    ------
    OptionError
        An unknown name, or a value of the wrong kind or out of range.
    """
    merge(options)
    given = {option_named(name).name: value for name, value in options.items()}
    return {name: value for name, value in given.items() if value is not None}


def carried(function: object) -> Stacked:
    """Return what the decorators below have left on a plain function."""
    found: Stacked = getattr(function, CARRIED, {})
    return found


def with_another(stacked: Stacked, name: str, said: Said) -> Stacked:
    """Add what one more decorator says.

    Raises
    ------
    OptionError
        It was there already.
    """
    if name in stacked:
        raise OptionError(
            f"@{name} is given twice", "one decorator holds all that it says", "keep one of them"
        )
    return {**stacked, name: said}


def resolved(given: Said, stacked: Stacked) -> Said:
    """Merge what `@batch` says with what the others say.

    Of resources the larger one counts, as in Metaflow; variables and secrets are taken
    together; anything else may be said once.

    Raises
    ------
    OptionError
        Two decorators contradict each other.
    """
    found = dict(given)
    for decorator in sorted(stacked):
        for name, value in stacked[decorator].items():
            found[name] = _joined(decorator, name, found.get(name), value)
    if RESOURCES in stacked:
        _raise_to_defaults(found, given, stacked[RESOURCES])
    return found


def _joined(decorator: str, name: str, given: Any, said: Any) -> Any:
    take = option_named(name).take
    if given is None or take(given) == take(said):
        return said
    if decorator == RESOURCES:
        return max(given, said, key=take)
    if name == "secrets":
        return (*take(given), *take(said))
    if name == "environment":
        return _together(take(given), take(said))
    raise _contradiction(name, decorator, f"{given!r} and {said!r}")


def _together(given: Mapping[str, str], said: Mapping[str, str]) -> Dict[str, str]:
    for name in set(given) & set(said):
        if given[name] != said[name]:
            raise _contradiction(f"the variable {name}", "environment", "its two values")
    return {**given, **said}


def _contradiction(what: str, decorator: str, values: str) -> OptionError:
    return OptionError(
        f"{what} is said by @batch and by @{decorator}",
        f"{values} contradict each other",
        "keep one of them; .options() of the function changes it later",
    )


def _raise_to_defaults(found: Said, given: Said, said: Said) -> None:
    """Let what `@resources` leaves out count with its default, where `@batch` does say it."""
    for name in ("cpu", "memory"):
        option = option_named(name)
        if name in given and name not in said:
            found[name] = max(given[name], option.default, key=option.take)
