"""A board behind a link: framing, requests, sessions, runs. Nothing here knows models of PyTorch or command lines."""
