"""Files, the cache, interrupts and processors: the few places where Presparse meets the operating system."""
