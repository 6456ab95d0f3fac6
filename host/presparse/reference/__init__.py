"""What a board computes, bit for bit, on this computer: in PyTorch, in C, and behind the interface of a device."""
