"""From a planned run to a submitted one: the claim, the task, the places, the submission."""
