"""The two ports, `Store` and `Runner`, and the two backends that implement them."""
