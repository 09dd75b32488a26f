"""What is known of the models that specs name, without loading or downloading any."""
