"""What a session may hold of uploaded files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from fmnist.ui import upload_limit
from fmnist.ui.upload_limit import MAX_HELD, limit_uploads

LARGE = bytes(19 * 2**20)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> MemoryUploadedFileManager:
    """What holds a server's uploads, after somebody has opened a page."""
    manager = MemoryUploadedFileManager("/upload")
    context = SimpleNamespace(session_id="ann", uploaded_file_mgr=manager)
    monkeypatch.setattr(upload_limit, "get_script_run_ctx", lambda: context)
    limit_uploads()
    return manager


def held(manager: MemoryUploadedFileManager, session: str) -> list[str]:
    return [file.file_id for file in manager.file_storage.get(session, {}).values()]


def test_of_forty_large_uploads_of_a_session_the_last_are_held(manager):
    for number in range(40):
        manager.add_file("ann", UploadedFileRec(str(number), "a.png", "image/png", LARGE))
        assert sum(len(file.data) for file in manager.file_storage["ann"].values()) <= MAX_HELD
    assert held(manager, "ann") == ["35", "36", "37", "38", "39"]


def test_sessions_do_not_take_each_others_room(manager):
    for session in ("ann", "ben"):
        limit_uploads()  # Each opens a page.
        for number in range(5):
            manager.add_file(session, UploadedFileRec(str(number), "a.png", "image/png", LARGE))
    assert held(manager, "ann") == held(manager, "ben") == ["0", "1", "2", "3", "4"]


def test_many_small_uploads_are_held(manager):
    for number in range(500):
        manager.add_file("ann", UploadedFileRec(str(number), "a.png", "image/png", bytes(200_000)))
    assert len(held(manager, "ann")) == 500
