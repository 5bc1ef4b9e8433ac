"""Labelled files -> what they are for, what is in them, the same examples in another format."""
