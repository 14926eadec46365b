"""Purity of slices, and what it costs in accuracy: see README.md beside this file."""
