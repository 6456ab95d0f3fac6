"""The emulator as a device: as a board behind a link, call by call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from presparse.device.protocol import Device
from presparse.device.session import Session
from presparse.errors import FeatureError, ModelError
from presparse.reference.emulator import Emulator
from presparse.reference.native import NativeReference
from presparse.reference.pytorch import Reference
from presparse.support.interrupts import deferred_interrupts
from tests.host import small
from tests.host.device.protocol_board import BoardLink, ProtocolBoard


def drive(device: Device) -> dict[str, object]:
    """One long use of a device; everything that it gives, by name."""
    device.load(small.model())
    seen: dict[str, object] = {}
    scores = [device.feed(small.training(1, 150)), device.feed(small.predictions(2, 10))]
    seen["read"] = device.read()
    scores += [device.feed(small.predictions(3, 3)), device.flush()]
    seen["scores"] = np.concatenate(scores)
    device.load(small.model(1))
    device.feed(small.training(4, 80))
    seen["flush"] = device.flush()
    seen["read again"] = device.read()
    seen["accepted"] = device.identify().accepted
    counters = device.counters()
    seen["counters"] = {c: counters[c] for c in Emulator(small.BUILD).counters() or counters if "frames" not in c}
    device.feed(small.predictions(5, 3))
    device.reset()
    seen["after reset"] = device.flush()
    seen["kept"] = device.read()
    device.clear_counters()
    seen["cleared"] = device.counters()["trained"]
    device.close()
    return seen


@pytest.mark.parametrize("reference", [Reference, NativeReference])
def test_emulator_and_board_give_the_same(reference: type[Reference] | type[NativeReference]) -> None:
    board = ProtocolBoard(small.BUILD)
    one = drive(Emulator(small.BUILD, reference=reference))
    other = drive(Session(lambda: BoardLink(board), small.BUILD))
    for name in ("scores", "flush", "after reset"):
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)  # pyright: ignore[reportArgumentType]
    for name in ("read", "read again", "kept"):
        for kind in ("left", "weights", "biases"):
            for a, b in zip(getattr(one[name], kind), getattr(other[name], kind), strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{name}: {kind}")
    assert one["accepted"] == other["accepted"] == 243
    counted = one["counters"]
    assert isinstance(counted, dict)
    assert isinstance(other["counters"], dict)
    assert counted == {c: other["counters"][c] for c in counted}
    assert counted["trained"] == 230
    assert one["cleared"] == other["cleared"] == 0


@pytest.mark.parametrize("call", ["read", "flush", "feed"])
def test_without_a_model(call: str) -> None:
    emulator = Emulator(small.BUILD)
    arguments = (small.predictions(1, 1),) if call == "feed" else ()
    with pytest.raises(ModelError, match="holds no model yet; load one"):
        getattr(emulator, call)(*arguments)


def test_bad_sample_is_refused() -> None:
    emulator = Emulator(small.BUILD)
    emulator.load(small.model())
    bad = small.training(1, 5)
    bad.features[3, 2] = 10_000
    with pytest.raises(FeatureError, match="sample 3: its features must be"):
        emulator.feed(bad)


def test_without_torch_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import presparse as ps\n"
        "try:\n"
        "    ps.open('emulator', ps.Network(features=4, classes=2, layers=(4, 2), out_degree=(1,), lanes=(2,),"
        " activations=('identity',)))\n"
        "except ps.PresparseError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "MissingExtra the emulator needs PyTorch: pip install 'presparse[train]'\n"


def test_interrupts_wait_for_the_end_of_the_block() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():  # noqa: PT012 (the order is what is tested)
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
