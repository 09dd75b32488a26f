"""Recorded runs, run again."""
