"""How many threads, and how they wait: whole commands, as a user types them."""
