"""Which jobs there are: what this machine remembers of each, and the roll of all."""
