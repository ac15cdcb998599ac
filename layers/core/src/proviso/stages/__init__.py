"""One module a stage of the journey. Plain functions: everything they need comes as keyword arguments.

Stages import the domain and nothing else, so each of them can be read, and tested, without AWS, SQL or pixels.
"""
