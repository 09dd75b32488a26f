"""A plan as a pull request shows it: one comment, from headline to folds."""
