"""The version, in one place: the package, its build and every bundle take it from here."""

__version__ = "0.1.0"
