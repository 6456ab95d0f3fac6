"""What stands around an accelerator on a board: top, clock number, lights, reset."""
