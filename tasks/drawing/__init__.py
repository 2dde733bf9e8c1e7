"""People, what they do, and where they do it, drawn: the parts of the built-in footage."""
