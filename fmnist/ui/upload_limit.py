"""What a session may hold of uploaded files: Streamlit bounds each one, and keeps any number of them in memory."""

from __future__ import annotations

from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

MAX_HELD = 100 * 2**20  # Bytes: five of the largest pictures that are taken, or hundreds as phones make them.


def limit_uploads() -> None:
    """Hold no more than `MAX_HELD` of any session from now on. Called by every page: who uploads may see any."""
    context = get_script_run_ctx()
    manager = context.uploaded_file_mgr if context else None
    if context is None or not isinstance(manager, MemoryUploadedFileManager):
        return
    if "add_file" not in vars(manager):
        _limit(manager)
    _forget_oldest(manager, context.session_id)


def _limit(manager: MemoryUploadedFileManager) -> None:
    """Have a manager forget when it is given more. Not when a page runs: files come in without one."""
    add = manager.add_file

    def add_file(session_id: str, file: UploadedFileRec) -> None:
        add(session_id, file)
        _forget_oldest(manager, session_id)

    vars(manager)["add_file"] = add_file


def _forget_oldest(manager: MemoryUploadedFileManager, session_id: str) -> None:
    """The oldest go first: they may belong to a visit of the page that nobody sees any more."""
    held = list(manager.file_storage.get(session_id, {}).values())
    total = sum(len(file.data) for file in held)
    for file in held:
        if total <= MAX_HELD:
            return
        manager.remove_file(session_id, file.file_id)
        total -= len(file.data)
