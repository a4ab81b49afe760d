"""Missing skeletons are found by looking, and the list is one that `train --leave-out` takes."""

import json

from stgcn_lens.cli import main
from stgcn_lens.data.missing import read_names
from stgcn_lens.data.readers import ntu
from tests.data import people


def test_files_without_a_body_are_found_and_listed(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    for name in ("S001C001P001R001A001", "S001C001P001R001A002"):
        ntu.write(people.clip(4, name=name), tmp_path / "raw")
    empty = ["S001C002P005R002A008", "S001C002P006R001A008"]
    for name in empty:
        (tmp_path / "raw" / f"{name}.skeleton").write_text("3\n0\n0\n0\n")
    assert main(["data", "missing", str(tmp_path / "raw"), "--out", str(tmp_path / "missing.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"missing": empty}
    assert read_names(tmp_path / "missing.txt") == empty


def test_a_folder_without_ntu_files_is_refused_in_one_line(tmp_path, capsys):
    assert main(["data", "missing", str(tmp_path)]) == 2
    assert "no files to look into" in capsys.readouterr().err
