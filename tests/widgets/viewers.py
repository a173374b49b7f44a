"""How others show a saved notebook: what GitHub and the like leave of foreign HTML.

GitHub's view of a notebook keeps neither styles nor scripts. What the sanitizer that it has
published lets pass (https://github.com/gjtorikian/html-pipeline, SanitizationFilter) is the
least that any of its views keeps; pictures need an address on the web there.
"""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

_ELEMENTS = set(
    "h1 h2 h3 h4 h5 h6 br b i strong em a pre code img tt div ins del sup sub p picture ol ul table"
    " thead tbody tfoot blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike"
    " summary details caption figure figcaption abbr bdo cite dfn mark small source span time"
    " wbr".split()
)
_ATTRIBUTES = {"alt", "title", "width", "height", "open", "align", "aria-label", "lang", "dir"}
_ADDRESSES = {("a", "href"), ("img", "src")}
_VOID = {"img", "br", "hr", "wbr", "source"}


class _Sanitizer(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.out = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ELEMENTS:
            kept = "".join(f' {n}="{escape(v or "")}"' for n, v in attrs if _passes(tag, n, v))
            self.out += f"<{tag}{kept}>"

    def handle_endtag(self, tag: str) -> None:
        if tag in _ELEMENTS - _VOID:
            self.out += f"</{tag}>"

    def handle_data(self, data: str) -> None:
        self.out += escape(data)


def _passes(tag: str, name: str, value: str | None) -> bool:
    if (tag, name) in _ADDRESSES:
        return (value or "").startswith(("http://", "https://"))
    return name in _ATTRIBUTES


def github(html: str) -> str:
    """Return what is left of the HTML."""
    sanitizer = _Sanitizer()
    sanitizer.feed(html)
    sanitizer.close()
    return sanitizer.out
