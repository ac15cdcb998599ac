"""Measuring, offline: evaluations, calibrations from them, and model cards. No part of any layer."""

EVALUATION = "proviso-evaluation/1"
"""The format of an evaluation's JSON, which evaluate writes and calibrate reads."""
