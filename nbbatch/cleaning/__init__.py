"""``nbbatch clean``: what is old goes, what a job may still need stays.

============  ===================================================================
`cleaner`     finds out what may go, and takes it away
`survey`      what is in a store, by kinds
`ends`        which jobs are over
`references`  what objects say that they refer to
`here`        what lies on this machine alone
`report`      what went and what stayed, in words
============  ===================================================================
"""

from nbbatch.cleaning.cleaner import Cleaner
from nbbatch.cleaning.report import Report

__all__ = ["Cleaner", "Report"]
