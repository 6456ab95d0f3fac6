"""AMD 7 series."""
