"""The sample store: samples in block RAM, fed to the core at the core's own speed."""
