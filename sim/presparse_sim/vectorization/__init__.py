"""Equal modules as vectors, for speed: lanes of a junction, side by side."""
