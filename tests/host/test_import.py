"""`import presparse` is light, and its names are there when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import presparse as ps


def loaded_after(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after a program."""
    program += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_import_loads_next_to_nothing() -> None:
    assert not {"torch", "sklearn", "serial", "numpy", "pydantic", "amaranth", "typer"} & loaded_after(
        "import presparse"
    )


def test_driving_a_board_needs_no_extra() -> None:
    """Everything but the emulator and training."""
    program = (
        "import presparse as ps\n"
        "ps.open, ps.Network, ps.Build, ps.Model, ps.Accelerator, ps.features.Convolution, ps.__version__\n"
        "import presparse.device.links.serial, presparse.device.links.tcp, presparse.device.links.recorded"
    )
    assert not {"torch", "sklearn", "amaranth", "matplotlib"} & loaded_after(program)


def test_a_scheduler_of_seeds_needs_no_tools() -> None:
    """It imports what it hands to workers."""
    assert not {"amaranth", "torch", "distributed"} & loaded_after("import presparse_boards.flow.routing.cluster")


def running(*arguments: str) -> str:
    """A program that runs a command, and goes on."""
    return (
        f"import sys; sys.argv = ['presparse', *{arguments}]\n"
        "from presparse.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
    )


def test_a_list_of_commands_imports_none() -> None:
    assert not {"numpy", "pydantic", "serial", "torch", "amaranth", "matplotlib"} & loaded_after(running("--help"))


@pytest.mark.slow
@pytest.mark.parametrize("command", [("boards",), ("experiment",), ("doctor",), ("train", "--help"), ("sim", "--help")])
def test_what_a_bare_install_can_do(command: tuple[str, ...]) -> None:
    """What extras bring cannot even be imported."""
    extras = (
        "torch",
        "sklearn",
        "scipy",
        "amaranth",
        "amaranth_boards",
        "matplotlib",
        "jinja2",
        "cocotb",
        "distributed",
    )
    loaded_after(f"import sys; sys.modules.update(dict.fromkeys({extras}))\n{running(*command)}")


def test_names() -> None:
    assert ps.Network.__name__ == "Network"
    assert callable(ps.open)
    assert callable(ps.train.fit)
    assert ps.__version__
    assert set(ps.__all__) <= set(dir(ps))
    for name in ps.__all__:
        assert getattr(ps, name) is not None
    with pytest.raises(AttributeError, match="module 'presparse' has no attribute 'trian'"):
        ps.trian  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("package", "name", "called"),
    [("torch", "train", "PyTorch"), ("sklearn", "SparseClassifier", "scikit-learn")],
)
def test_a_part_whose_package_is_missing_names_the_extra(package: str, name: str, called: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import presparse as ps\n"
        "try:\n"
        f"    ps.{name}\n"
        "except ps.PresparseError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == f"presparse.{name} needs {called}: pip install 'presparse[train]'\n"
