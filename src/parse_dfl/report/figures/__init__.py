"""Draw figures: functions from a record to a picture, or to None where it has nothing to draw."""
