"""Stands for an exception that nobody has unpickled."""


class Unread(Exception):
    """What a future holds until somebody asks for its exception."""
