"""Make tables, figures and one HTML page from what runs wrote to disk.

This room reads run records only: it imports neither torch nor any other room.  To add a figure,
write one file with one function under ``figures/`` and name it in ``sections.py``.
"""
