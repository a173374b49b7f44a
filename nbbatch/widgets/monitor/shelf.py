"""What stands below the monitor's table: cards that were opened, outputs that can't be painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

__all__ = ["Shelf"]


class _Spot:
    """The place of a card, as `display` would return it."""

    def update(self, obj: Any, **kwargs: Any) -> None:
        """Leave the card as it is: it shows its end by itself."""


class Shelf:
    """A box of things that can be put away.

    A page draws anew what stands behind a change in a box, and a card that has ended goes with
    its last view. So what is new comes last, and what is put away leaves its empty place.
    """

    def __init__(self) -> None:
        self.box = ipywidgets.VBox([])
        self._take_away: dict[str, Callable[[], None]] = {}

    def put(
        self, id_: str, name: str, show: Callable[[Callable[..., Any]], Callable[[], None]]
    ) -> None:
        """Show a card, once for each job.

        Parameters
        ----------
        show
            Shows it with a display function, and returns what ends it.
        """
        key = f"card {id_}"
        if key in self._take_away:
            return
        holder = ipywidgets.VBox([])
        self._add(key, f"Close the card of {name}", holder)

        def display(widget: Any, **kwargs: Any) -> _Spot:
            holder.children = [widget]
            return _Spot()

        end = show(display)
        away = self._take_away[key]
        self._take_away[key] = lambda: (end(), away())[-1]

    def show(self, id_: str, title: str, outputs: Sequence[dict[str, Any]]) -> None:
        """Show outputs; again, where they are shown already."""
        key = f"outputs {id_}"
        if key in self._take_away:
            self._take_away[key]()
        head = {"output_type": "stream", "name": "stdout", "text": f"{title}\n"}
        shown = ipywidgets.Output(outputs=(head, *outputs))
        self._add(key, f"Close the {title.strip('─ ')}", shown)

    def close(self) -> None:
        """Put all away."""
        for away in list(self._take_away.values()):
            away()
        self.box.close()

    def _add(self, key: str, label: str, widget: Any) -> None:
        button = ipywidgets.Button(
            description="Close", tooltip=label, layout=ipywidgets.Layout(width="auto")
        )
        line = ipywidgets.HBox([button], layout=ipywidgets.Layout(justify_content="flex-end"))
        item = ipywidgets.VBox([line, widget])

        def away() -> None:
            self._take_away.pop(key, None)
            item.children = ()
            for each in (line, button, widget):
                each.close()
            self._tidy()

        self._take_away[key] = away
        button.on_click(lambda _: self._take_away.get(key, away)())
        self.box.children = (*self.box.children, item)

    def _tidy(self) -> None:
        """Leave out the empty places at the end."""
        kept = list(self.box.children)
        while kept and not kept[-1].children:
            kept.pop().close()
        self.box.children = kept
