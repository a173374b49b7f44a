"""The page's files make one module together."""

from __future__ import annotations

import re
from collections import Counter

from nbbatch.widgets.card import CardWidget

_NAMED = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def test_names_on_a_page_are_unique() -> None:
    """The files share one scope, where a second name of a kind would end the whole page."""
    names = Counter(_NAMED.findall(str(CardWidget._esm)))

    assert len(names) > 50
    assert [name for name, count in names.items() if count > 1] == []


def test_a_page_loads_nothing_and_parses_no_html() -> None:
    """No import, no address of a library; texts go in as texts."""
    script = str(CardWidget._esm)

    assert script.count("export default") == 1
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "import(",
        "eval(",
        "document.write",
    ):
        assert word not in script
    assert not re.search(r"^import ", script, re.MULTILINE)
