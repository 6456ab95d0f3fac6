"""How a training's ending is shown: what was learned, what stands in its way, and what to try."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from presparse.fitting.diagnosis import Diagnosis


def figures(found: Diagnosis) -> dict[str, object]:
    """For programs."""
    return {
        "largest_class": found.majority,
        "features_out_of_range": len(found.saturated_features),
        "dead_neurons": [layer.dead for layer in found.layers],
        "saturated_neurons": [layer.saturated for layer in found.layers],
        "warnings": list(found.warnings),
    }


def shown(found: Diagnosis) -> Iterator[Table | Text]:
    """A row for each figure, then a line for each thing that is wrong."""
    rows = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    rows.add_row(f"right, of {found.samples:,} {found.measured} samples", f"{found.accuracy:.1%}")
    rows.add_row("of the largest class", f"{found.majority:.1%}")
    rows.add_row("features out of range", f"{len(found.saturated_features)} of {found.features}")
    for layer in found.layers:
        rows.add_row(f"dead neurons in layer {layer.number}", f"{layer.dead} of {layer.neurons}")
        rows.add_row(f"saturated neurons in layer {layer.number}", f"{layer.saturated} of {layer.neurons}")
    yield rows
    for warning in found.warnings:
        yield Text.assemble(("to mend: ", "bold yellow"), warning)
