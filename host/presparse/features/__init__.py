"""From a user's samples to the numbers of an input layer: kernels over images, which columns, how they
are scaled, where they go."""

from presparse.features.convolution import Convolution
from presparse.features.inputs import Inputs
from presparse.features.scaling import Scaling

__all__ = ["Convolution", "Inputs", "Scaling"]
