"""The zip's ``__main__``: begins the worker, from the zip or from a folder that it was unpacked to.

Where the image's Python is not the client's, the zip's modules are compiled from source, and
Python's own importer does that twice for each: once only to say where the module is. So it is
given one that says so without.
"""

from __future__ import annotations

import sys
import zipimport


class _Importer(zipimport.zipimporter):
    """Imports from a zip, and compiles each module once."""

    def get_filename(self, fullname: str) -> str:
        """Return where a module's source is."""
        name = f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}"
        return name + ("/__init__.py" if self.is_package(fullname) else ".py")


def start() -> int:
    """Run the worker and return the exit code."""
    # What is no zip it refuses, and the next hook is asked.
    sys.path_hooks.insert(0, _Importer)
    # The interpreter has looked there already, if it was given the zip to run.
    sys.path_importer_cache.pop(sys.path[0], None)
    # Only now can it be had: from the zip.
    from nbbatch.worker.__main__ import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
