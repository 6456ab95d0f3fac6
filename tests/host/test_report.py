"""The pictures show what is there: edges, schedule, answers; the page is complete in itself."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from presparse.contract.build import Build
from presparse.contract.network import SHIPPED, Network
from presparse.errors import ArgumentError
from presparse.features import Convolution, Inputs
from presparse.model import Model
from presparse.report.by_class import counts
from presparse.report.confusion import confusion
from presparse.report.curves import Curve, curves
from presparse.report.page import Fact, Section, write
from presparse.report.pattern import lanes_of_edges, pattern
from presparse.report.pipeline import Work, pipeline, spans
from presparse.report.receptive_fields import field, receptive_fields
from presparse.report.samples import samples
from presparse.report.style import BLUE, figure, png
from presparse.report.weights import weights
from tests.host.small import BUILD, NETWORK, model

PNG = b"\x89PNG\r\n\x1a\n"


def test_every_edge_is_in_the_pattern_once_and_in_its_lane() -> None:
    for j, left in zip(NETWORK.junctions, model().left, strict=True):
        shown = lanes_of_edges(j, left)
        assert shown.shape == (j.right, j.left)
        assert shown.count() == j.edges
        for right, neuron in zip(*np.nonzero(~np.ma.getmaskarray(shown)), strict=True):
            assert neuron in left[right]
            assert shown[right, neuron] == neuron % j.lanes


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_no_edge_is_too_fine_to_be_seen(name: str) -> None:
    """As much of each matrix has color as has edges, also where there are more neurons than pixels."""
    fresh = Model.initial(Network.load(name), random_state=0)
    drawn = pattern(fresh)
    picture = imread(io.BytesIO(png(drawn)))[..., :3]
    height, width, _ = picture.shape
    for j, ax in zip(fresh.network.junctions, drawn.axes, strict=True):
        box = ax.get_position()
        rows = slice(round(height * (1 - box.y1)) + 4, round(height * (1 - box.y0)) - 4)
        inside = picture[rows, round(width * box.x0) + 4 : round(width * box.x1) - 4]
        colored = (inside.min(axis=2) < 0.98).mean()
        assert colored > 0.8 * j.density


@pytest.mark.parametrize("name", SHIPPED)
def test_spans_follow_the_schedule(name: str) -> None:
    build = Build(network=Network.load(name))
    schedule = build.schedule
    found = list(spans(build, schedule.depth + 4))
    for s in found:
        j, when = build.junctions[s.junction - 1], schedule.junctions[s.junction - 1]
        delay = when.forward if s.work is Work.FF else when.update
        assert s.begin == (s.sample + delay) * schedule.period + when.start + schedule.prologue
        assert s.end - s.begin == j.cycles
    # Every sample is fed forward everywhere, then updated everywhere; BP everywhere but in junction 1.
    works = {(s.junction, s.work) for s in found if s.sample == 0}
    junctions = range(1, len(build.junctions) + 1)
    assert works == {(j, w) for j in junctions for w in Work if not (j == 1 and w is Work.BP)}
    # A multiplier does one thing at a time.
    for key in works:
        own = sorted((s.begin, s.end) for s in found if (s.junction, s.work) == key)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))


def test_a_build_that_only_infers_has_no_training_in_its_pipeline() -> None:
    build = Build(network=NETWORK, mode="infer")
    assert {s.work for s in spans(build, 6)} == {Work.FF}
    assert png(pipeline(build)).startswith(PNG)


@pytest.mark.slow
def test_a_receptive_field_has_every_weight_at_its_pixel() -> None:
    """Also where features do not sit in order, as those of an image do."""
    network = Network.load("mnist-dey")
    fresh = Model.initial(network, random_state=3)
    assert png(receptive_fields(fresh)).startswith(PNG)
    weight, pixel = network.formats.weight, np.argsort(network.places)
    for neuron in (0, 63):
        shown = field(fresh, neuron, (28, 28, 1)).reshape(-1)
        assert shown.count() == 64
        for left, value in zip(fresh.left[0][neuron], fresh.weights[0][neuron], strict=True):
            assert shown[pixel[left]] == weight.decode(value)
    images = np.random.default_rng(0).integers(256, size=(20, 784))
    behind = replace(fresh, inputs=Inputs.fit(images.astype(float), convolution=Convolution.fit(images, (28, 28))))
    assert png(receptive_fields(behind)) == png(receptive_fields(behind, (7, 7, 16)))
    with pytest.raises(ArgumentError, match=r"^network .* has no image; give the shape of one, such as \(28, 28\)$"):
        receptive_fields(model())
    with pytest.raises(ArgumentError, match=r"^an image of 2 x 2 has 4 pixels, and the network 784 features$"):
        receptive_fields(fresh, (2, 2))


def test_confusion_counts() -> None:
    labels, answers = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    assert counts(labels, answers, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


@pytest.mark.slow
def test_every_picture_is_drawn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=30)
    one = Curve(name="one", color=BLUE, accuracies=[0.5])
    two = Curve(name="two", color=BLUE, accuracies=[0.4, 0.6, 0.9], first=2)
    for drawn in (
        pattern(model()),
        pipeline(BUILD),
        confusion(labels, labels, ["0", "1", "2"]),
        confusion(labels, (labels + 1) % 3, ["setosa", "$versicolor", "virginica"]),
        weights(model(0), model(1)),
        samples(rng.random((5, 16)), labels[:5], labels[:5]),
        curves([one]),
        curves([one, two]),
    ):
        assert png(drawn).startswith(PNG)


def test_the_page_is_one_file_and_escapes_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write(
        path,
        title="A <b>title</b>",
        summary="s",
        facts=[Fact(value="1 < 2", label="l", good=False)],
        sections=[Section(title="One", text="t", picture=figure(1, 1))],
        details={"k": "v & w"},
    )
    page = path.read_text()
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "1 &lt; 2" in page
    assert "v &amp; w" in page
    assert 'class="fact bad"' in page
    assert page.count("data:image/png;base64,iVBOR") == 1
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
