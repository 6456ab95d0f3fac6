"""Networks that are good at several things at once: which are proposed, and which are worth a longer training."""
