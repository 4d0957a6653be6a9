"""What every worker needs before it can train.

Workers are forked from a process that has imported this and done nothing else (`worker_handle.workers`): torch is
loaded once and not once for each of them.
"""

import gc
from contextlib import suppress

gc.disable()  # Nothing of what is loaded is garbage, and to look for some takes a tenth of the time.
with suppress(ImportError, OSError, RuntimeError):  # A torch that can't be loaded is told by the worker that needs it.
    from fmnist.training import loop  # noqa: F401
gc.enable()
