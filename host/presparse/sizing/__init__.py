"""Networks that are valid and balanced, from what a user knows: features, classes, a density, lanes or cycles."""
