"""The audit: what the slices of trained agents hold, measured on samples that no agent learnt from.

:mod:`parse_dfl.analysis.probing.probe` puts the measures together; each has a file of its own.
"""
