"""Offer the Python API: objects in, a result out; :mod:`parse_dfl` exports all of it.

It stands over the run and comparison that the command line uses, and gives the same numbers and the
same folders.
"""
