"""Make tables: functions from a record to a table, or to None where it holds nothing for it."""
