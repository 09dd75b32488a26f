"""Git, behind one door: `repository.py`."""
