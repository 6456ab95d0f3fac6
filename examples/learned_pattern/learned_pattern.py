"""A pattern that is learned, not drawn: a penalty makes a dense network sparse, and what is left goes onto the lanes.

python learned_pattern.py
"""

import torch
from torch import nn

import presparse as ps
from presparse.data import load_splits

EDGES = 1300


def main() -> None:
    torch.manual_seed(0)
    splits = load_splits("digits", validation=0.15, test=0.25)
    X, y = splits.train
    X = X / 16  # grey levels 0 to 16

    # A dense network, trained with a proximal penalty: whole neurons and single weights become exactly 0.
    dense = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = ps.sparsity.ProximalOptimizer(
        torch.optim.SGD(dense.parameters(), lr=0.1, momentum=0.9), ps.sparsity.SparseGroupLasso(2e-3).on(dense)
    )
    ps.prune.fine_tune(dense, X, y, epochs=40, batch_size=32, optimizer=optimizer, keep_zeros=False)
    left = ps.sparsity.left_over(dense)
    print(f"{left.exact_zeros:.1%} of the weights are exactly 0")

    # Dead neurons and features go, outputs stay; then the pattern that loses least on a board's lanes, refitted.
    pruned = ps.prune.compact(dense)
    print(f"widths {pruned.widths}, {pruned.remaining_parameters:,} of {pruned.original_parameters:,} parameters")
    validation, test = [(part[0] / 16, part[1]) for part in (splits.validation, splits.test)]
    found = ps.prune.to_lanes(pruned, X, y, edges=EDGES, validation=validation, measure=test)
    for stage in found.stages:
        print(f"{stage.name:14} {stage.edges:5,} edges  {stage.accuracy:.1%} of the test part")

    # As many edges, drawn before training: on digits as good; on MNIST the learned ones win (docs/experiments.md).
    columns = found.model.inputs.columns
    drawn = ps.train.fit(found.model.network, X[:, columns], y, epochs=40)
    print(f"pre-defined    {drawn.network.edges:5,} edges  {drawn.score(test[0][:, columns], test[1]):.1%}")

    with ps.open("emulator", found.model.network) as board:
        board.load(found.model)
        print(f"on the board: {board.score(*test):.1%}")


if __name__ == "__main__":
    main()
