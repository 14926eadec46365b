"""Seconds a round and memory of the simulator, beside a plain loop over agents."""
