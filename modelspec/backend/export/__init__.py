"""keras.Model → files of other runtimes, and the proof that each computes the same."""
