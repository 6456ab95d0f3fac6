"""Experiments with sparse networks, which anyone can make again: `presparse experiment NAME`."""
