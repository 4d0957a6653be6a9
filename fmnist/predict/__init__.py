"""From a picture or a drawing to what the models answer, and why."""
