"""Training on a device, whichever it is: where samples come from, epochs, what is reported."""
