"""Audit trained agents: what their slices hold, measured on samples that no agent learnt from.

:mod:`parse_dfl.analysis.probing.measures` puts the measures together; each has a file of its own.
"""
