"""Runs as people look at them: tables, logs, shells, costs, what works from here."""
