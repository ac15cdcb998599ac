"""Proviso: live facial recognition that runs only under conditions, and refuses outside them."""

__version__ = "0.1.0"
