"""Errors a user can cause or meet, beyond the contract's. Each names the thing, the value and how to mend it."""

from __future__ import annotations

from presparse.contract.errors import BuildError, NetworkError, PatternError, SampleError, StoreError
from presparse.support.errors import CacheError, OutputError, PresparseError

__all__ = [
    "ArgumentError",
    "BuildError",
    "CacheError",
    "ClusterError",
    "DataError",
    "DeviceFault",
    "DeviceInUse",
    "DeviceMismatch",
    "FeatureError",
    "LearningWarning",
    "LinkClosed",
    "LinkCorrupt",
    "LinkError",
    "LinkTimeout",
    "MissingExtra",
    "ModelError",
    "NetworkError",
    "OutputError",
    "PatternError",
    "PresparseError",
    "RateError",
    "RecordingError",
    "ResultsLost",
    "SampleError",
    "ScaleWarning",
    "StoreError",
    "StoreWarning",
    "TrainingError",
    "UnknownDevice",
]


class ModelError(PresparseError, ValueError):
    """A model file that cannot be read or written, or a model whose numbers are not valid for its network."""


class FeatureError(PresparseError, ValueError):
    """Samples that a model cannot take: wrong shape or type, NaN, infinity, labels out of range, or none at all."""


class DataError(PresparseError, ValueError):
    """A data set that is not there, or a file that does not hold one."""


class ScaleWarning(UserWarning):
    """Samples on another scale than those that a model was trained on."""


class StoreWarning(UserWarning):
    """A board whose store cannot be used; all else works."""


class ArgumentError(PresparseError, ValueError):
    """An argument that is not what it must be, such as a number of epochs below 1."""


class TrainingError(PresparseError, ArithmeticError):
    """A training that diverged: its loss or its weights are no longer finite."""


class LearningWarning(UserWarning):
    """A training that has not learned, or not as it could have; it names what is wrong and how to mend it."""


class RateError(PresparseError, ValueError):
    """A learning rate that is no power of two, or one the network was not described for."""


class MissingExtra(PresparseError, ImportError):
    """A part of Presparse whose optional packages are not installed; the message holds the pip command."""


class ClusterError(PresparseError):
    """Other computers that cannot be worked with: no scheduler or worker is there, is there any more, or has the same
    versions."""


class UnknownDevice(PresparseError, ValueError):
    """A device name that nothing answers to."""


class LinkError(PresparseError):
    """The way to the board failed. What the board has trained is still there."""


class LinkTimeout(LinkError, TimeoutError):
    """No answer in time, retries included."""


class LinkCorrupt(LinkError):
    """Bytes came, but no frame that checks, retries included."""


class LinkClosed(LinkError, ConnectionError):
    """The link could not be opened, or closed while it was needed."""


class DeviceInUse(LinkClosed):
    """Somebody else has the device: another program, another host, or a training in another thread."""


class ResultsLost(LinkError):
    """A cut lost the scores of predicted samples; the link is up again and the pipeline is drained."""


class RecordingError(LinkError):
    """A recorded session that cannot be read, or that the host departs from."""


class DeviceMismatch(PresparseError):
    """The board speaks another protocol, or was built for another network or other lanes."""


class DeviceFault(PresparseError):
    """The board refused a request, or gave an answer that cannot be right."""
