"""From a queued run to a result: the loop, the processes around it, and what they tell."""
