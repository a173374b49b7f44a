"""What a notebook gives a cell, with IPython or without: streams, displays, magics, figures."""
