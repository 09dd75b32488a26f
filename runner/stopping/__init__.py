"""Ending runs, and looking whether anything is left."""
