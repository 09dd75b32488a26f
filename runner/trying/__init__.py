"""Runs that nothing records, and what they may cost."""
