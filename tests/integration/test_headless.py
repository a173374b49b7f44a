"""Notebooks without a front end: what their outputs hold, whatever happens."""
