"""Two ranks on two cores against one process with two threads, and with one."""
