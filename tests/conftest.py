"""Options and fixtures of the whole test suite."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import settings

# Of every property that names no number of its own.
settings.register_profile("every day", max_examples=40)
settings.register_profile("nightly", max_examples=400)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("nightly" if config.option.nightly else "every day")
    # Background jobs of a shell ignore Ctrl-C, and what nohup starts a hang-up. So would these tests and the programs
    # that they start, which begin with a signal's default only if it is handled here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--networks",
        type=int,
        default=6,
        metavar="N",
        help="random networks whose gateware is compiled and compared with the reference (seeds 0 to N - 1)",
    )
    parser.addoption("--nightly", action="store_true", help="more cases of what others show, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.option.nightly:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("nightly")])
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    # What takes long comes first, so that in the end no worker waits for one that has just begun it.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    # All modules and tests are here to stay, and a design's elaboration makes millions of objects that are no garbage:
    # looking for some among them, as often as Python does, takes a tenth of the time of what simulates gateware.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "network_seed" in metafunc.fixturenames:
        networks: int = metafunc.config.option.networks
        metafunc.parametrize("network_seed", range(networks))
