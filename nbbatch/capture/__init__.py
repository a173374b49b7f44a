"""What must travel with a cell or a function; nothing of the user's is run to find it out."""

from __future__ import annotations

from nbbatch.capture.cell import Cell as Cell
from nbbatch.capture.cell import parse_cell as parse_cell
from nbbatch.capture.modules import LocalModule as LocalModule
from nbbatch.capture.modules import local_modules as local_modules
from nbbatch.capture.modules import pack as pack
from nbbatch.capture.names import CellNames as CellNames
from nbbatch.capture.names import analyse as analyse
from nbbatch.capture.names import function_globals as function_globals
from nbbatch.capture.names import wanted as wanted

__all__ = [
    "Cell",
    "CellNames",
    "LocalModule",
    "analyse",
    "function_globals",
    "local_modules",
    "pack",
    "parse_cell",
    "wanted",
]
