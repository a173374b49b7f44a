"""Small pictures of a few flat colours, as PNG files: all that charts in a saved card need."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

__all__ = ["Colour", "png"]

#: Red, green, blue, opacity: 0 to 255 each.
Colour = tuple[int, int, int, int]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Two bits a pixel: up to four colours, found in the palette.
_BITS, _INDEXED = 2, 3


def png(rows: Sequence[bytes], colours: Sequence[Colour]) -> bytes:
    """Write a picture.

    Parameters
    ----------
    rows
        From the top; in each, a pixel is a byte: the index of its colour.
    colours
        Four at most.
    """
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), _BITS, _INDEXED, 0, 0, 0)
    # Each row begins with its filter: none.
    lines = b"".join(b"\x00" + _packed(row) for row in rows)
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", b"".join(bytes(colour[:3]) for colour in colours)),
            _chunk(b"tRNS", bytes(colour[3] for colour in colours)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _packed(row: bytes) -> bytes:
    row += bytes(-len(row) % 4)
    packed = 0
    # All bytes of a row at once: no index is above 3, so none gets into its neighbour's bits.
    for place in range(4):
        packed = packed << _BITS | int.from_bytes(row[place::4], "big")
    return packed.to_bytes(len(row) // 4, "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
