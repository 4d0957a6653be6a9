"""The networks, and the registry that every page and command reads."""

from fmnist.models import networks as networks  # First of all: whoever imports the registry finds them in it.
from fmnist.models.registry import ModelError as ModelError
from fmnist.models.registry import register as register
