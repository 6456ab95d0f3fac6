"""The main job, from end to end, on scikit-learn's digits: train, quantize, load, predict, learn on the board.

Everything that the board computes is computed again by the PyTorch reference, and compared bit for bit.
Needs the `demo` extra.
"""
