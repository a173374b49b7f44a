"""Frames: encoding, merging."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbbatch.wire.frames import decode, encode, frame, merged, stream


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=20))))
def test_merging_keeps_text_and_order(said: list[tuple[str, str]]) -> None:
    """Merged neighbours say the same, in the same order, with fewer frames."""
    frames = [stream(name, text) for name, text in said]
    joined = merged(frames)

    for name in ("stdout", "stderr"):
        expected = "".join(text for said_name, text in said if said_name == name)
        assert "".join(f["text"] for f in joined if f["name"] == name) == expected
    assert all(a["name"] != b["name"] for a, b in zip(joined, joined[1:], strict=False))


@given(st.text(), st.text(alphabet="\ud800\udfff\n\r\u2028\0"))
def test_any_text_survives(text: str, odd: str) -> None:
    """Line ends, lone surrogates and NULs in text do not break the lines of the encoding."""
    frames = [stream("stdout", text), frame("display", data={"text/plain": odd}, metadata={})]

    assert decode(encode(frames)) == frames


def test_displays_part_streams() -> None:
    """Text before and after a display is not joined across it."""
    frames = [stream("stdout", "a"), frame("display", data={}), stream("stdout", "b")]

    assert [f["kind"] for f in merged(frames)] == ["stream", "display", "stream"]
