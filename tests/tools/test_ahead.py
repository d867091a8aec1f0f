"""A notebook run before its page opens: where it can't be, it is left as it was, and the terminal says what to do."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from nvlab.tools import ahead, explore, lab


def server(create_session):
    """As much of a server as is asked before a kernel is there."""
    return SimpleNamespace(session_manager=SimpleNamespace(create_session=create_session))


def ended(coroutine):
    """What `coroutine` returns, run by a thread: Playwright leaves a running event loop to the one that tests run in."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result(30)


async def refuses(**_):
    raise RuntimeError("no kernel of that name")


async def never_answers(**_):
    await asyncio.Event().wait()


@pytest.mark.parametrize("create_session, seconds, why", [
    (refuses, 5.0, "RuntimeError: no kernel of that name"), (never_answers, 0.05, "TimeoutError after 0 s")])
def test_what_fails_is_told_and_the_notebook_stays_as_it_was(tmp_path, create_session, seconds, why):
    path = tmp_path / explore.NAME
    path.write_text(explore.notebook("embedded"), encoding="utf-8")
    before = path.read_bytes()
    assert ended(ahead.run_ahead(server(create_session), path, seconds)) == why
    assert path.read_bytes() == before


def test_the_terminal_says_what_is_left_to_do(nvlab, monkeypatch):
    said = []

    def serve(args, root, path, title, prepare):
        said.append(ended(prepare(server(refuses))))
        return 0
    monkeypatch.setattr(lab, "serve", serve)
    assert nvlab("explore", "embedded").code == 0
    assert "Press Shift+Enter" in said[0] and "no kernel of that name" in said[0]
