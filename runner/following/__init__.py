"""What is known of runs that go on: the launcher's word and the run store's."""
