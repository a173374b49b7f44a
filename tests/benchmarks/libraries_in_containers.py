"""The kernel's libraries in a container: ``python -m tests.benchmarks.libraries_in_containers``.

The second job with numpy, pandas, scikit-learn and matplotlib on an image with Python alone, beside
the same job on an image that has them all, with their bytecode: from submit to the end of its code.
Each job is a real container (`.ci/install-containers`); S3 and Batch are moto's, on the same cores.

On an ext4 without a journal, a new file costs the more, the more were removed within the last
minutes, as each container's are: `CONTAINERS_STORAGE_CONF` may name a file that moves podman's
storage (with the image, by ``podman save`` and ``podman load``) elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))

from libraries import job
from timing import heading, show

from tests.containers.rig import SITE, Rig, build_with, containers
from tests.containers.test_round_trip import LIBRARIES, settings

ROUNDS = 6
IMAGE = "docker.io/library/nbbatch-benchmark:libraries"


def build(rig: Rig, folder: Path) -> None:
    """Build the image that has them all; some of their files are templates, and don't compile."""
    folder.mkdir()
    build_with(LIBRARIES, rig.image, IMAGE, folder)
    compiled = f"FROM {IMAGE}\nRUN python3 -m compileall -q {SITE}; true\n"
    (folder / "Containerfile").write_text(compiled)
    subprocess.run(["podman", "build", "--quiet", "--tag", IMAGE, "."], check=True, cwd=folder)


def main() -> None:
    """Measure, and print a line for each case."""
    with tempfile.TemporaryDirectory() as made, containers(Path(made)) as rig:
        # A user who has nothing yet.
        os.environ.update(settings(rig), HOME=made)
        build(rig, Path(made) / "image")
        try:
            _measure()
        finally:
            subprocess.run(["podman", "rmi", "--force", IMAGE], check=False, capture_output=True)


def _measure() -> None:
    from nbbatch.session import current_session

    having, lacking = job(memory="3G", image=IMAGE, env="none"), job(memory="3G")
    lacking()
    current_session().supply.settle()
    pairs = [(having(), lacking()) for _ in range(ROUNDS + 1)][1:]
    heading("a job with all of them, from submit to the end of its code")
    base = show("in the image", [having for having, _ in pairs])
    show("fetched", [lacking for _, lacking in pairs], against=base)
    show("fetched: more than in the image", [much - little for little, much in pairs])


if __name__ == "__main__":
    main()
