"""What is true: a folder a claim, with its configuration, a program and its results."""
