"""The runs that come with the project, and how they are made: fifteen by the published recipe, and those of the best
recipes that were found."""
