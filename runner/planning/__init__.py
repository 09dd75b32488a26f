"""What a plan is made of: the actions, how each is decided, the trees that are compared."""
