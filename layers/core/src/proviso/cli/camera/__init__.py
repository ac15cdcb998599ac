"""The camera agent: it samples pictures from a source, names them by their capture time and uploads them.

It runs beside a camera and can only write: it decides nothing about anybody. What time it is, how to wait and what is
random are passed in, so that its behaviour under faults can be tested without waiting.
"""
