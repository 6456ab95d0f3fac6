"""Trials: work that is described by plain values, made by whatever workers there are, each once, and written down."""
