"""What Batch can't honour, said before anything is written: pure functions of plain values.

==============  =====================================================
`request`       what no queue could honour
`platform`      what this queue's platform can't
`fargate`       the pairs of CPU and memory that Fargate has
`meaningless`   each option that means nothing somewhere, with why
`existing`      what can't be said of a job definition that is there
`saying`        how a refusal is worded
==============  =====================================================
"""

from nbbatch.backends.aws.checks.existing import check_existing
from nbbatch.backends.aws.checks.fargate import FARGATE, nearest_fargate
from nbbatch.backends.aws.checks.platform import check_platform
from nbbatch.backends.aws.checks.request import check_request

__all__ = ["FARGATE", "check_existing", "check_platform", "check_request", "nearest_fargate"]
