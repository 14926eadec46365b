"""The figures: one file each, holding one function from a record to a picture.

A function returns None where the record lacks what it would draw.
"""
