"""How the app is started; no Streamlit is imported to know it."""

import logging
import sys
import threading
from importlib import import_module
from pathlib import Path

MAIN = Path(__file__).with_name("main.py")


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
    """Import what the first page needs, and explain the clip it opens on, while the browser opens."""
    for name in ("torch", "scipy.sparse.csgraph", "scipy.interpolate", "pandas"):
        import_module(name)
    imported.wait()  # two threads that import Streamlit at once can see it half made
    # Streamlit warns of every cache that is filled outside of a page.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    sys.path.insert(0, str(MAIN.parents[1]))
    from app import state

    state.warm(arguments)
    import_module("altair")  # for the pages after the first


def _serve(arguments: list[str]) -> None:
    imported = threading.Event()
    chosen = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    threading.Thread(target=_warm, args=(chosen, imported), daemon=True).start()
    from streamlit.web.cli import main

    imported.set()
    sys.argv = ["streamlit", "run", str(MAIN), *arguments]
    main()


if __name__ == "__main__":
    _serve(sys.argv[1:])
