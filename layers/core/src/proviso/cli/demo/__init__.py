"""The main job from end to end on one machine, with real photographs: `proviso demo`, and the end-to-end tests.

Nothing in here is part of the system: it is people, cameras and a script, using what everybody else uses.
"""
