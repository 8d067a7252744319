"""Replies with the reading that a person gave them, and what counts how often we read the same."""
