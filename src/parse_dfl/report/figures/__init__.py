"""The figures: functions from a record to a picture, or to None where it lacks what to draw."""
