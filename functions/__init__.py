"""The functions. Python imports this before any of them, so what holds for the start of all of them stands here."""

import gc

# A start makes modules, classes and tables, none of it garbage, and the collector would look through all of it again
# and again: a seventh of what detect's start takes. proviso.edge.telemetry turns it on after the first invocation.
gc.disable()
