"""How the app is started, and that it looks the same from wherever that is."""

import tomllib
from pathlib import Path

from app.launch import MAIN, command
from stgcn_lens.viz import theme


def test_the_command_names_run_port_and_this_machine_alone(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = command(Path("runs/a b"), 8765, root="elsewhere", browser=False)
    assert line[1] == str(MAIN.with_name("launch.py"))
    flags, chosen = line[2 : line.index("--")], line[line.index("--") + 1 :]
    assert flags == ["--server.port=8765", "--server.address=127.0.0.1", "--server.headless=true"]
    assert chosen == [f"--run={tmp_path / 'runs/a b'}", f"--root={tmp_path / 'elsewhere'}"]
    assert "--" not in command()


def test_the_settings_beside_main_keep_the_app_private_and_quiet():
    settings = tomllib.loads((MAIN.parent / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"] == {"toolbarMode": "viewer", "showErrorDetails": "none"}


def test_app_and_report_have_the_same_colours():
    settings = tomllib.loads((MAIN.parent / ".streamlit" / "config.toml").read_text())["theme"]
    names = {
        "primaryColor": "accent",
        "backgroundColor": "background",
        "secondaryBackgroundColor": "panel",
        "textColor": "text",
        "borderColor": "grid",
    }
    for kind, tokens in (("light", theme.LIGHT), ("dark", theme.DARK)):
        assert settings[kind] == {name: tokens[token] for name, token in names.items()}
