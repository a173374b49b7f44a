"""Composition: settings and a backend, which `Session` makes jobs of; and this process' session."""

from nbbatch.sending import Items as Items
from nbbatch.sending import Packing as Packing
from nbbatch.sending import Work as Work
from nbbatch.sending import check_array as check_array
from nbbatch.session.present import attach as attach
from nbbatch.session.present import configure as configure
from nbbatch.session.present import current_session as current_session
from nbbatch.session.present import jobs as jobs
from nbbatch.session.present import session_with as session_with
from nbbatch.session.session import Session as Session

__all__ = [
    "Items",
    "Packing",
    "Session",
    "Work",
    "attach",
    "check_array",
    "configure",
    "current_session",
    "jobs",
    "session_with",
]
