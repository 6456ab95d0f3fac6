"""Networks that a search tries, one after the other, and the space that they come from."""
