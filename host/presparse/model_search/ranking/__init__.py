"""Which of several networks are best where more than one figure counts, and which are trained on."""
