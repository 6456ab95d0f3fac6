"""Place-and-route: one netlist, several seeds at once, in threads here or on workers of a cluster."""
