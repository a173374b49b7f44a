"""`docs/options.md`, of the table of options: all that is known about each, and nothing else."""

from __future__ import annotations

from itertools import groupby

from nbbatch.options import Option, table


def page() -> str:
    """Write the page's generated part: the groups, and each option in its own."""
    groups = [(name, list(options)) for name, options in groupby(table(), lambda o: o.group)]
    index = [f"- **{name}**: {', '.join(map(_link, options))}" for name, options in groups]
    blocks = ["\n".join(index)]
    for name, options in groups:
        blocks += [f"## {name}", *map(_described, options)]
    return "\n\n".join(blocks)


def short() -> str:
    """Write the README's table: the commonest groups."""
    rows = ["| option | default | |", "|---|---|---|"]
    for option in table():
        if option.group in SHORT:
            default = option.shown_default and f"`{option.shown_default}`"
            rows.append(f"| `{option.flag}` | {default} | {_meaning(option)} |")
    return "\n".join(rows)


_PLACES = {"local": "the local backend"}
#: What most jobs say.
SHORT = ("Resources", "Image, queue and roles", "Name, time and attempts")


def _link(option: Option) -> str:
    return f"[`{option.name}`](#{option.name})"


def _meaning(option: Option) -> str:
    return "; ".join(filter(None, [option.help, option.only]))


def _described(option: Option) -> str:
    facts = [
        f"takes {option.check.says}",
        _default(option),
        f"works on {_listed([_PLACES.get(place, place) for place in option.works])}",
        _becomes(option),
        f"`%%batch {option.example}`",
        f"`@batch({option.argument})`",
    ]
    lines = "\n".join(f"- {fact}" for fact in facts)
    return f"### {option.name}\n\n{_sentence(option.help)}\n\n{lines}"


def _sentence(text: str) -> str:
    """Begin a text with a capital letter, unless its first word has one of its own: vCPUs."""
    first = text.split(maxsplit=1)[0]
    return f"{text[0].upper() if first.islower() else text[0]}{text[1:]}."


def _default(option: Option) -> str:
    default = f"`{option.shown_default}`" if option.shown_default else "none"
    if option.switch and option.default is not None:
        default = "on" if option.default else "off"
    if not option.environment:
        return f"by default {default}"
    variables = ", else ".join(f"`{name}`" for name in option.environment)
    return f"by default what {variables} says, else {default}"


def _becomes(option: Option) -> str:
    operation, _, field = option.becomes.partition(".")
    if not option.becomes:
        return "nbbatch's own: no field of AWS Batch"
    return f"becomes `{field}` of {operation}" if field else f"becomes {operation}"


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else f"{last} only"
