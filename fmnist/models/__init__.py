"""The networks, and the registry that every page and command reads."""

from fmnist.models.registry import ModelError as ModelError
from fmnist.models.registry import register as register
