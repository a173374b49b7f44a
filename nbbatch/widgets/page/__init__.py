"""The pages' side: ES modules and style sheets, as files, joined without a bundler.

The files of a page share one scope, in the order given; only the last one exports. So a part of
a card can stand in the monitor, too, and no page loads anything from elsewhere.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["script", "style"]

_HERE = Path(__file__).parent


def script(*names: str) -> str:
    """Return the ES module that these files make together."""
    return _joined(names, "js")


def style(*names: str) -> str:
    """Return the style sheet that these files make together."""
    return _joined(names, "css")


def _joined(names: tuple[str, ...], kind: str) -> str:
    return "\n".join((_HERE / f"{name}.{kind}").read_text(encoding="utf-8") for name in names)
