"""Fifteen runs by the published recipe, shipped with the project, and how they are made."""
