"""The version, in one place: results are stamped with it."""

__version__ = "0.1.0"
