"""What an hour of a machine costs, as the person who uses it has configured it.

By name: ``vcpu``, ``memory`` (of one GB), ``gpu``, and the name of any instance type
(``p3.2xlarge``: the whole instance); ``currency`` is ``USD`` unless it is given. In Python it is a
dict, in ``config.toml`` a table ``[prices]``, in ``NBBATCH_PRICES`` JSON or
``vcpu=0.04,memory=0.0045``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbbatch.errors import ConfigurationError

__all__ = ["checked", "words"]

_PARTS = ("vcpu", "memory", "gpu")
_CURRENCY = "currency"
#: Such as m5.xlarge, p4d.24xlarge, u-6tb1.112xlarge.
_INSTANCE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_HINT = "for example prices={'vcpu': 0.04, 'memory': 0.0045}, an hour of each"


def checked(value: object, where: str) -> dict[str, Any]:
    """Return prices by name, with their currency.

    Parameters
    ----------
    where
        What set them, for the errors.

    Raises
    ------
    ConfigurationError
        It is no table of prices, or one that can't be meant.
    """
    found = _parsed(value, where) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise _wrong(f"{value!r} is no table of prices", where)
    currency = found.get(_CURRENCY, "USD")
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
        raise _wrong(f"{currency!r} is no currency", where, "its three letters, such as USD or EUR")
    prices = {n: _price(n, p, where) for n, p in _flat(found) if n != _CURRENCY}
    return {**prices, _CURRENCY: currency} if prices else {}


def _flat(found: Mapping[Any, Any]) -> Iterator[tuple[str, object]]:
    """Yield names and prices: TOML takes the dot of a bare name for a table in a table."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{rest}", price) for rest, price in _flat(value))
        else:
            yield str(name), value


def _parsed(text: str, where: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise _wrong(f"the prices are no JSON: {error}", where) from error
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip(): price.strip() for name, _, price in pairs}


def _price(name: str, value: object, where: str) -> float:
    if name not in _PARTS and not _INSTANCE.fullmatch(name):
        known = ", ".join((*_PARTS, _CURRENCY))
        raise _wrong(
            f"{name!r} has no price", where, f"use {known}, or an instance type such as m5.xlarge"
        )
    try:
        if isinstance(value, bool):
            raise TypeError
        price = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        price = math.nan
    if not (math.isfinite(price) and price >= 0):
        raise _wrong(f"the price of {name} is {value!r}, no amount of money", where)
    return price


def _wrong(what: str, where: str, hint: str = _HINT) -> ConfigurationError:
    return ConfigurationError(what, f"set in {where}", hint)


def words(prices: Mapping[str, Any]) -> str:
    """Write prices in one line."""
    return ", ".join(f"{name}={value}" for name, value in prices.items())
