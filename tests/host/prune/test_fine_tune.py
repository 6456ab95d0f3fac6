"""fine_tune: learns, repeats itself, keeps the best and the zeros, takes any optimizer, survives Ctrl-C."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (a layer of nn.Sequential is known to be a module, and no more)

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from presparse.errors import ArgumentError, FeatureError, TrainingError
from presparse.fitting.holding_out import hold_out
from presparse.history import Progress
from presparse.prune import compact, fine_tune, slim
from presparse.sparsity import GroupLasso, ProximalOptimizer


def blobs(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three well separated classes in five features."""
    centers = np.random.default_rng(0).normal(size=(3, 5)) * 2
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=count)
    return centers[y] + rng.normal(size=(count, 5)) * 0.3, y


X, Y = blobs(257, 1)  # one more than whole batches of 32
TEST = blobs(200, 2)


def perceptron(dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(dropout), nn.Linear(20, 3))


def accuracy(model: nn.Module) -> float:
    model.eval()
    with torch.no_grad():
        return float((model(torch.tensor(TEST[0]).float()).argmax(1).numpy() == TEST[1]).mean())


def state(model: nn.Module) -> dict[str, Tensor]:
    return deepcopy(model.state_dict())


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_slimmed_model_learns_again(optimizer: str) -> None:
    model = perceptron()
    fine_tune(model, X, Y, epochs=5, batch_size=32, lr=0.02)
    assert accuracy(model) > 0.95
    slimmed = slim(model, fraction=0.8, shift="drop")
    before = accuracy(slimmed)
    fine_tune(slimmed, X, Y, epochs=5, batch_size=32, lr=0.02, optimizer=optimizer)  # pyright: ignore[reportArgumentType]
    assert slimmed.widths == (5, 4, 3)
    assert accuracy(slimmed) > max(0.95, before)


def test_images_and_tensors() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).double()
    images = torch.randn(65, 1, 3, 3)
    labels = (images[:, 0, 1, 1] > 0).long()
    fine_tune(model, images, labels, validation=(images, labels), epochs=40, batch_size=32, lr=0.02)
    model.eval()
    assert float((model(images.double()).argmax(1) == labels).double().mean()) > 0.95


def test_same_arguments_same_weights_and_nothing_else_moves() -> None:
    states = []
    for global_seed, seed in ((1, 3), (2, 3), (3, 4)):
        model = perceptron(dropout=0.5)
        torch.manual_seed(global_seed)
        random_state, threads = torch.get_rng_state(), torch.get_num_threads()
        model[1].eval()
        fine_tune(model, X, Y, epochs=2, random_state=seed)
        assert torch.equal(torch.get_rng_state(), random_state)
        assert torch.get_num_threads() == threads
        assert [module.training for module in model] == [True, False, True, True, True]
        states.append(state(model))
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])


def test_the_best_epoch_on_validation_is_kept() -> None:
    seen: list[Progress] = []
    noisy = np.where(np.random.default_rng(0).random(len(Y)) < 0.5, 0, Y)
    model = perceptron(dropout=0.3)
    fine_tune(
        model, X, noisy, validation=TEST, epochs=12, lr=0.3, progress=seen.append
    )  # fmt: skip
    ends = [progress for progress in seen if progress.ended]
    assert [(end.epoch, end.epochs) for end in ends] == [(epoch, 12) for epoch in range(1, 13)]
    reached = [end.validation or 0.0 for end in ends]
    assert max(reached) > reached[-1]  # else the last would do
    assert accuracy(model) == max(reached)


def test_a_share_is_held_out_by_the_rule_of_all_trainings() -> None:
    learned, held = hold_out(Y, 0.2, 5)
    by_share, by_hand = perceptron(), perceptron()
    by_hand.load_state_dict(by_share.state_dict())
    history = fine_tune(by_share, X, Y, validation=0.2, epochs=4, random_state=5)
    wanted = fine_tune(by_hand, X[learned], Y[learned], validation=(X[held], Y[held]), epochs=4, random_state=5)
    assert [epoch.validation for epoch in history.epochs] == [epoch.validation for epoch in wanted.epochs]
    assert equal(state(by_share), state(by_hand))
    with pytest.raises(ArgumentError, match=r"^validation must be \(X, y\), a share of the samples"):
        fine_tune(by_share, X, Y, validation=1.5)


def test_without_validation_the_last_epoch_is_kept_also_after_ctrl_c() -> None:
    for stop in (3, 50):
        states: list[dict[str, Tensor]] = []
        model = perceptron()

        def progress(told: Progress) -> None:
            assert told.validation is None
            if told.ended:
                states.append(state(model))  # noqa: B023 (called in this turn only)
            if told.ended and told.epoch == stop:  # noqa: B023
                raise KeyboardInterrupt

        history = fine_tune(model, X, Y, epochs=4, progress=progress, keep_on_interrupt=True)
        assert history.interrupted == (stop < 4)
        assert len(states) == min(stop, 4)
        assert equal(state(model), states[-1])
        assert not equal(states[0], states[-1])


def test_zeros_stay_zero() -> None:
    model = perceptron()
    with torch.no_grad():
        model[0].weight[::2, 1:] = 0
    pruned = compact(model)
    zeros = [parameter == 0 for parameter in pruned.parameters()]
    free = deepcopy(pruned)
    fine_tune(pruned, X, Y, epochs=2)
    assert all(
        not parameter[zero].any() for parameter, zero in zip(pruned.parameters(), zeros, strict=True) if zero.ndim > 1
    )
    assert sum(int((parameter == 0).sum()) for parameter in pruned.parameters()) == int(zeros[0].sum())
    fine_tune(free, X, Y, epochs=2, keep_zeros=False)
    assert all(parameter.all() for parameter in free.parameters())


def test_any_optimizer() -> None:
    """A ProximalOptimizer makes zeros in the same loop, a scheduled one gets its rates back, a plain object will do."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 3))
    inner = torch.optim.Adam(model.parameters(), lr=0.02)
    optimizer = ProximalOptimizer(inner, GroupLasso(0.02).on(model))
    for _ in range(2):
        fine_tune(model, X, Y, epochs=6, optimizer=optimizer)
        assert [group["lr"] for group in optimizer.param_groups] == [0.02]
    assert compact(model).widths[1] < 20
    assert accuracy(model) > 0.8

    class Counter:
        steps = cleared = 0

        def zero_grad(self) -> None:
            self.cleared += 1

        def step(self) -> None:
            self.steps += 1

    model, counter = perceptron().requires_grad_(), Counter()
    before = [parameter.clone() for parameter in model.parameters()]
    fine_tune(model, X, Y, epochs=2, batch_size=32, optimizer=counter)
    assert (counter.steps, counter.cleared) == (16, 16)  # the sample left over joined the last batch
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_rates_follow_a_cosine() -> None:
    model = perceptron()
    rates: list[float] = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fine_tune(
        model, X, Y, epochs=4, optimizer=optimizer, progress=lambda _: rates.append(optimizer.param_groups[0]["lr"])
    )  # fmt: skip
    assert rates[:3] == sorted(rates[:3], reverse=True)
    assert rates[1] == pytest.approx(0.05, rel=0.1)
    assert rates[3] == pytest.approx(0, abs=0.01)


def test_rates_that_were_changed_between_two_runs() -> None:
    model = perceptron()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fine_tune(model, X, Y, epochs=2, optimizer=optimizer)
    optimizer.param_groups[0]["lr"] = 0.001
    rates: list[float] = []
    fine_tune(
        model, X, Y, epochs=2, optimizer=optimizer, progress=lambda _: rates.append(optimizer.param_groups[0]["lr"])
    )  # fmt: skip
    assert rates[0] == pytest.approx(0.0005, rel=0.1)


def test_every_batch_is_seen_in_training_mode() -> None:
    model = perceptron().eval()
    seen: list[int] = []
    fine_tune(
        model, X[:256], Y[:256], validation=TEST, epochs=3, batch_size=32,
        progress=lambda _: seen.append(int(model[1].num_batches_tracked)),
    )  # fmt: skip
    assert seen == [8, 16, 24]
    assert not any(module.training for module in model.modules())


def test_penalty_is_added_to_the_loss() -> None:
    losses: list[float] = []

    def norm_after(strength: float) -> float:
        model = perceptron()
        weight = model[0].weight
        fine_tune(
            model, X, Y, epochs=5, lr=0.05, penalty=lambda: strength * weight.square().sum(),
            progress=lambda told: losses.append(told.loss or 0.0),
        )  # fmt: skip
        return float(weight.detach().norm())

    assert norm_after(1.0) < 0.5 * norm_after(0.0)
    assert max(losses) < 3  # what is reported is the loss without the penalty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number, at least 1, and is 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number, at least 1, and is 1.5"),
        ({"lr": 0}, "lr, the learning rate, must be a positive number, such as 0.01, and is 0"),
        ({"optimizer": "lion"},
         "optimizer must be 'adam', 'sgd' or an object with zero_grad() and step(), and is 'lion'"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        fine_tune(perceptron(), X, Y, **arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (
            X[:, :4],
            Y,
            r"^the model cannot take samples of shape \(4,\) \(.*\); give X in the shape that its first layer",
        ),
        (X[0], Y, r"^X must have shape \(samples, \.\.\.\), with at least one sample, and has \(5,\)$"),
        (X[:0], Y[:0], r"^X must have shape \(samples, \.\.\.\), with at least one sample, and has \(0, 5\)$"),
        ([["a"]], Y, r"^X must hold real numbers, and has dtype <U1; convert it with X\.astype\(float\)$"),
        (X * 1j, Y, r"^X must hold real numbers, and has dtype complex128; convert"),
        (
            np.where(np.arange(5) == 3, np.nan, X),
            Y,
            r"^X must be finite, and X\[0, 3\] is nan \(257 such in all\); remove",
        ),
        (X, Y[:9], r"^y must have one label per sample, shape \(257,\), and has \(9,\)$"),
        (
            X,
            Y + 1,
            r"^y must hold class numbers 0 to 2, and one label is 3; classes are numbered from 0, so give y - 1$",
        ),
    ],
)
def test_data_that_does_not_fit(X: object, y: object, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        fine_tune(perceptron(), X, y)  # pyright: ignore[reportArgumentType]


def test_data_of_other_kinds_trains_the_same() -> None:
    wanted = perceptron()
    fine_tune(wanted, X, Y, epochs=1)
    for same in (X.tolist(), X[::-1][::-1], X.astype(">f8"), torch.tensor(X, requires_grad=True)):
        model = perceptron()
        fine_tune(model, same, torch.tensor(Y), epochs=1)
        assert equal(state(model), state(wanted))
    fine_tune(perceptron(), torch.tensor(X).bfloat16(), torch.tensor(Y).bfloat16(), epochs=1)


def test_batch_norm_and_single_samples() -> None:
    for arguments in ((X, Y, 1), (X[:1], Y[:1], 8)):
        with pytest.raises(
            ArgumentError, match=r"^the model has BatchNorm, which cannot learn from one sample at a time"
        ):
            fine_tune(perceptron(), *arguments[:2], batch_size=arguments[2])
    layers = [nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.Flatten()]
    images = torch.randn(4, 1, 3, 3), torch.tensor([0, 1, 0, 1])
    fine_tune(nn.Sequential(*layers, nn.Linear(12, 2)), *images, batch_size=1, epochs=1)  # four places per channel
    with pytest.raises(ArgumentError, match=r"batch_size is 1, of 4 samples; give 2 or more of both$"):
        fine_tune(nn.Sequential(*layers, nn.Linear(3, 2)), images[0][..., :2, :2], images[1], batch_size=1)
    fine_tune(nn.Sequential(nn.Linear(5, 3)), X[:3], Y[:3], batch_size=1, epochs=1)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_that_diverges_says_so(optimizer: str) -> None:
    model = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 3))
    with pytest.raises(TrainingError, match=r"diverged; train with a lower lr, or scaled features$"):
        fine_tune(model, X, Y, epochs=5, lr=1e30, optimizer=optimizer)  # pyright: ignore[reportArgumentType]


def test_the_last_step_may_be_the_one_that_diverges() -> None:
    model = nn.Sequential(nn.Linear(5, 3))
    with pytest.raises(TrainingError, match=r"^0\.weight is no longer finite: the training diverged; "):
        fine_tune(model, X * 1e20, Y, epochs=1, batch_size=257, lr=1e38, optimizer="sgd")


def test_nothing_of_the_schedule_stays_in_an_optimizer_of_ones_own() -> None:
    model = perceptron()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fine_tune(model, X, Y, epochs=1, optimizer=optimizer)
    assert "initial_lr" not in optimizer.param_groups[0]
    own = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    own.step()
    seen: list[float] = []
    fine_tune(model, X, Y, epochs=1, optimizer=optimizer, progress=lambda told: seen.append(told.lr))
    assert (optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["initial_lr"]) == (0.05, 0.1)
    assert max(seen) <= 0.05
    own.step()
    assert optimizer.param_groups[0]["lr"] == 0.025


def test_pruned_models_name_the_original_features() -> None:
    with pytest.raises(FeatureError, match=r"^x must have shape \(samples, 5\), and has \(1, 4\); give the original"):
        fine_tune(compact(perceptron()), X[:, :4], Y)


def test_what_is_no_model() -> None:
    for use in (
        lambda: fine_tune("model.pt", X, Y),
        lambda: compact("model.pt"),
        lambda: slim("model.pt", fraction=0.5),
    ):
        with pytest.raises(ArgumentError, match=r"model must be a torch\.nn\.Module, and is 'model\.pt'; "):
            use()


def test_models_without_classes_or_parameters() -> None:
    with pytest.raises(
        FeatureError, match=r"^the model must give \(samples, classes\), and gives shape \(1, 2, 1, 1\) for"
    ):
        fine_tune(nn.Conv2d(1, 2, 2), torch.zeros(3, 1, 2, 2), [0, 1, 0])
    with pytest.raises(ArgumentError, match=r"^the model has no parameter to train; call requires_grad_\(\)"):
        fine_tune(perceptron().requires_grad_(False), X, Y)
