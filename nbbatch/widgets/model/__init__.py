"""Facts turned into texts: what every form of a card shows, so that they can't disagree.

Pure functions of frozen values. The live card, the static form, the monitor and the terminal's
line all draw one `CardModel`.

============  ===================================================
`card`        the whole
`states`      a state as a sign, a word and a tone
`timeline`    the way through the states, with times
`resources`   asked for, given, and where
`meters`      use, peaks, charts
`cost`        what it cost so far
`advice`      what to ask for the next time
`parts`       nodes, and what a grid of parts is
`children`    the children of an array: a bar, and the same grid
`bars`        progress that the job reports
`texts`       figures as people write them
============  ===================================================
"""

from __future__ import annotations

from nbbatch.widgets.model.bars import Bar
from nbbatch.widgets.model.card import CardModel, card_model
from nbbatch.widgets.model.meters import Meter
from nbbatch.widgets.model.parts import Part, Parts
from nbbatch.widgets.model.texts import clip, clock_time, duration, size
from nbbatch.widgets.model.timeline import Earlier, Step

__all__ = [
    "Bar",
    "CardModel",
    "Earlier",
    "Meter",
    "Part",
    "Parts",
    "Step",
    "card_model",
    "clip",
    "clock_time",
    "duration",
    "size",
]
