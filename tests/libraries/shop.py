"""Small distributions, made by the tests: installed, or as wheels in a folder."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Made(NamedTuple):
    """What a distribution is made of."""

    name: str
    version: str = "1.0"
    files: Mapping[str, str] = {}
    requires: Sequence[str] = ()
    tag: str = "py3-none-any"
    scripts: Mapping[str, str] = {}
    python: str = ">=3.9"
    extras: Sequence[str] = ()

    @property
    def record(self) -> str:
        """The name of its folder of metadata."""
        return f"{self.name.replace('-', '_')}-{self.version}.dist-info"

    def content(self) -> dict[str, str]:
        """Return all of its files but RECORD."""
        head = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        head += [f"Requires-Python: {self.python}"]
        head += [f"Provides-Extra: {extra}" for extra in self.extras]
        head += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        pure = "true" if self.tag.endswith("any") else "false"
        wheel = f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {self.tag}\n"
        found = {f"{self.record}/METADATA": "\n".join(head) + "\n", f"{self.record}/WHEEL": wheel}
        if self.scripts:
            lines = [f"{name} = {target}" for name, target in self.scripts.items()]
            text = "\n".join(["[console_scripts]", *lines, ""])
            found[f"{self.record}/entry_points.txt"] = text
        return {**self.files, **found}


def install(made: Made, site: Path) -> None:
    """Install a distribution into a folder, as pip would."""
    content = made.content()
    names = [f"{name},," for name in [*content, f"{made.record}/RECORD"]]
    for name, text in {**content, f"{made.record}/RECORD": "\n".join(names) + "\n"}.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def wheel(made: Made, folder: Path) -> Path:
    """Write a distribution's wheel into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.name.replace('-', '_')}-{made.version}-{made.tag}.whl"
    content, lines = made.content(), []
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            data = text.encode()
            archive.writestr(name, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            lines.append(f"{name},sha256={digest.decode()},{len(data)}")
        lines.append(f"{made.record}/RECORD,,")
        archive.writestr(f"{made.record}/RECORD", "\n".join(lines) + "\n")
    return path
