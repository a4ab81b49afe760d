"""The pictures of the README, taken from the app as it is: three pages, and the player as a film.

    stgcn-lens demo --no-serve --out runs/demo
    python docs/pictures.py runs/demo

Writes docs/pictures/*.png and player.gif. Needs playwright and chromium (`pip install -e '.[dev]'`).
"""

import argparse
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from app.launch import command

OUT = Path(__file__).with_name("pictures")
# Page, what to show on it, frame of the player, height of the window.
SHOTS = {
    "clip": ("?clip=S002C002P026R001A010", 28, 900),
    "layers": ("layers?layer=block_7&clip=S002C002P026R001A010", 28, 900),
    "neighbours": ("neighbours?layer=block_10&clip=S002C002P026R001A010", 28, 860),
}
FILM = "?clip=S002C002P026R001A010&view=layers&scale=own+scale"
READY = (
    "() => document.querySelector('.stApp')?.dataset.testScriptState === 'notRunning' "
    "&& !document.querySelector('[data-stale=true]')"
)


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The address of the app on a run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(command(run, port, browser=False), stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


def opened(page: Page, url: str) -> Locator:
    """The page's player, once all is drawn."""
    page.goto(url, wait_until="commit")
    player = page.locator(".sl-player").first
    player.wait_for()
    page.wait_for_timeout(500)
    page.wait_for_function(READY)
    page.wait_for_timeout(1500)  # charts draw themselves after that
    return player


def seek(player: Locator, frame: int) -> None:
    """Show a frame, as a drag of the slider does."""
    player.locator("input[type=range]").first.evaluate(
        "(slider, frame) => { slider.value = frame; slider.dispatchEvent(new Event('input')); }", frame
    )
    player.page.wait_for_timeout(60)


def picture(data: bytes) -> Image.Image:
    """A screenshot in 256 colours, which a page of the app hardly needs."""
    return Image.open(BytesIO(data)).convert("RGB").quantize(256, dither=Image.Dither.NONE)


def film(shots: list[bytes], path: Path, width: int) -> None:
    """Screenshots as a GIF; one palette for all, so that what stands still is stored once."""
    small = []
    for shot in shots:
        whole = Image.open(BytesIO(shot)).convert("RGB")
        small.append(whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS))
    palette = small[len(small) // 3].quantize(96, dither=Image.Dither.NONE)
    frames = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in small]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0, optimize=True)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder of the demo")
    args = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with served(args.run) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (query, frame, height) in SHOTS.items():
            page = browser.new_page(viewport={"width": 1280, "height": height}, reduced_motion="reduce")
            seek(opened(page, f"{address}/{query}"), frame)
            picture(page.screenshot()).save(OUT / f"{name}.png", optimize=True)
            page.close()
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        player = opened(page, f"{address}/{FILM}")
        last = int(player.locator("input[type=range]").first.get_attribute("max") or 0)
        shots = []
        for frame in range(0, last + 1, 3):
            seek(player, frame)
            shots.append(player.screenshot())
        film(shots, OUT / "player.gif", width=720)
        browser.close()
    for path in sorted(OUT.iterdir()):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
