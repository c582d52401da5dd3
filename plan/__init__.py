"""The vocabulary: what the planner, the components and the programs all speak of.

Frozen dataclasses, names and paths, and the one codec that carries them to the programs. The
standard library alone.
"""
