"""Before a run: a registry, its specs, their reference."""
