"""What a job costs, by the prices that are configured: counted while it runs, in every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.facts import Children, JobFacts, State
from nbbatch.widgets.model.texts import number
from nbbatch.widgets.model.timeline import ran

__all__ = ["cost_text"]

_HOUR = 3600.0
_CENT = 0.01
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
#: What is priced, and how many of the figure make one of it: memory is told in MiB.
_PARTS = (("vcpu", "cpu", 1), ("memory", "memory", 1024), ("gpu", "gpu", 1))


def cost_text(facts: JobFacts, now: float) -> str:
    """Write what a job has cost so far, and an hour of it.

    ``""`` where no price is configured, and of arrays while it is not known how long their
    children have run.
    """
    rate, whole = _rate(facts)
    if rate is None:
        return ""
    sign = _sign(facts.prices)
    if facts.children is not None and facts.children.size > 1:
        return _of_children(facts.children, rate, sign, now)
    if not facts.done and not any(stay.state is State.RUNNING for stay in facts.stays):
        return f"{_hourly(rate, sign)} once it runs"
    spent = _money(rate * ran(facts.stays, now) / _HOUR, sign)
    of_what = f", the price of the whole {whole}" if whole else ""
    if facts.done:
        return f"{spent} ({_hourly(rate, sign)}{of_what})" if whole else spent
    return f"{spent} so far, {_hourly(rate, sign)}{of_what}"


def _of_children(children: Children, rate: float, sign: str, now: float) -> str:
    if children.ran is None:
        return ""
    seconds = children.ran + children.live * max(0.0, now - children.since)
    spent = _money(rate * seconds / _HOUR, sign)
    if not children.live:
        return spent if children.done == children.size else f"{spent} so far"
    return f"{spent} so far, {_hourly(rate * children.live, sign)}"


def _rate(facts: JobFacts) -> tuple[float | None, str]:
    """Return what an hour costs on all nodes, and the instance's type where it is its price."""
    nodes = len(facts.nodes) or 1
    kind = str(facts.given.get("instance") or "")
    whole = number(facts.prices.get(kind)) if kind else None
    if whole is not None:
        return whole * nodes, kind
    priced = [
        price * (number(facts.given.get(figure, facts.asked.get(figure))) or 0.0) / unit
        for name, figure, unit in _PARTS
        if (price := number(facts.prices.get(name))) is not None
    ]
    return (sum(priced) * nodes if priced else None), ""


def _sign(prices: Mapping[str, Any]) -> str:
    currency = str(prices.get("currency", "USD"))
    return _SIGNS.get(currency, f"{currency} ")


def _money(amount: float, sign: str) -> str:
    if 0 < amount < _CENT:
        return f"< {sign}0.01"
    return f"{sign}{amount:,.2f}"


def _hourly(rate: float, sign: str) -> str:
    # The price of a small job of an hour has more than two digits that say something.
    digits = 2 if rate >= 10 * _CENT or not rate else 4
    return f"{sign}{rate:,.{digits}f}/h"
