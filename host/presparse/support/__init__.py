"""Files, the cache and interrupts: the few places where Presparse meets the operating system."""
