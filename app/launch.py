"""How the app is started; no Streamlit is imported to know it."""

import gc
import logging
import os
import socket
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

MAIN = Path(__file__).with_name("main.py")
_PATIENCE = 4.0  # seconds (ours) after which the network is loaded though nobody has come
_TURN = 5e-4  # seconds (ours; Python's own: 5e-3) after which a thread that imports lets one that answers have its turn
_BREATH = 0.8  # seconds (ours) in which the browser draws what it was sent, before the imports go on


def command(
    run: Path | str | None = None,
    port: int = 8501,
    *,
    root: Path | str | None = None,
    address: str = "127.0.0.1",
    browser: bool = True,
) -> list[str]:
    """The command line that serves the app.

    Parameters
    ----------
    run : run folder to open on; without one the app opens on the newest run in `root`, else on the demo model.
    port, address : where it listens. The address is this machine alone unless it is given.
    root : folder whose runs can be chosen; default: the folder that `run` lies in, or ./runs.
    browser : open the user's browser.

    All other options are in app/.streamlit/config.toml, which Streamlit reads from beside main.py.
    """
    options = {"server.port": str(port), "server.address": address, "server.headless": str(not browser).lower()}
    flags = [f"--{name}={value}" for name, value in options.items()]
    places = {"--run": run, "--root": root}
    chosen = [f"{flag}={Path(path).resolve()}" for flag, path in places.items() if path]
    return [sys.executable, str(Path(__file__).resolve()), *flags, *(["--", *chosen] if chosen else [])]


def _warm(arguments: list[str], imported: threading.Event) -> None:
    """Import what the first page needs while the browser opens, and what its questions need once it is drawn.

    That is torch, which takes as long to import as all the rest: the demo model's first page is kept (app/opening.py),
    and a run's begins with the clip alone.
    """
    if not any(word.startswith("--run") for word in arguments):
        import_module("scipy.interpolate")  # of the synthetic clips
    imported.wait()  # two threads that import Streamlit at once can see it half made
    # Streamlit warns of every cache that is filled outside of a page; this thread means to.
    me = threading.current_thread().name
    warnings = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warnings.addFilter(lambda record: record.threadName != me)
    sys.path.insert(0, str(MAIN.parents[1]))
    from app import opening, state

    for name in ("app.takeaway", "app.scenes", "app.trust"):  # of the first page
        import_module(name)
    if state.warm(arguments):
        opening.loading.set()
    opening.drawn.wait(_PATIENCE)
    time.sleep(_BREATH)
    try:
        state.warm(arguments, live=True)
    finally:
        opening.loading.clear()
    for name in ("pandas", "altair", "scipy.sparse.csgraph"):
        import_module(name)
    gc.freeze()  # what is there by now stays: from here on garbage is looked for among the rest only


def _answer_at_once() -> None:
    """Have small answers sent as they come: otherwise each waits up to 40 ms for the browser to confirm the last one.

    Streamlit opens its socket itself, without naming TCP as the protocol, and asyncio then does not take it for one
    that Nagle's algorithm holds up. Files of the front end took 42 ms each instead of 2. What is accepted takes over
    what is set here. A Streamlit that is built otherwise is left as it is.
    """
    from streamlit.web.server.starlette import starlette_server

    bind = getattr(starlette_server, "_bind_server_socket", None)
    if bind is None:
        return

    def prompt(*args: Any, **kwargs: Any) -> tuple[socket.socket, str]:
        listening, address = bind(*args, **kwargs)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening, address

    starlette_server._bind_server_socket = prompt


def _leave_a_core() -> None:
    """Compute on all cores but one, unless told otherwise.

    The browser draws on the last. Threads that wait for each other while it holds their core wait long: on two cores
    the evidence for another class took up to 2 s instead of 0.1 s.
    """
    cores = str(max(1, (os.cpu_count() or 1) - 1))
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, cores)


def _serve(arguments: list[str]) -> None:
    _leave_a_core()
    sys.setswitchinterval(_TURN)
    imported = threading.Event()
    chosen = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    threading.Thread(target=_warm, args=(chosen, imported), daemon=True).start()
    from streamlit.web.cli import main

    _answer_at_once()
    imported.set()
    sys.argv = ["streamlit", "run", str(MAIN), *arguments]
    main()


if __name__ == "__main__":
    _serve(sys.argv[1:])
