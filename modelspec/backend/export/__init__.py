"""keras.Model → files of other runtimes, and the proof that their outputs are equal."""
