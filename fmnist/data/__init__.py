"""The data sets: which there are, where their files lie, and generated sample data."""
