"""One attempt: the monitor watches, the child runs the code and reports."""
