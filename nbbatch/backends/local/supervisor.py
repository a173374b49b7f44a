"""Start the supervisor of one job: run by path, outside the package and without `site`.

Its real modules are imported from beside this file, so that they come from bytecode caches.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from supervise.job import main  # type: ignore[import-not-found]

sys.exit(main(sys.argv[1:]))
