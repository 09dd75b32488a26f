"""Where files are: the run store, a run's folder in it, files of this machine."""
