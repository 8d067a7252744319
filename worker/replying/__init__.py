"""What a received text means and what follows from it: heard, then handled as a case."""
