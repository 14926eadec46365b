"""Slice widths: equal thirds, proposed from the data, and the best found by search."""
