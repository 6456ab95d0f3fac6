"""The network itself: from a stream of samples to results, training included."""
