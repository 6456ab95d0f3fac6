"""What the command line and the parts it finds by name (builder, simulator) tell each other."""
