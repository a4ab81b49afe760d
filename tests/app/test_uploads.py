"""What visitors bring: limits, names that lead nowhere, faults in words, and nothing that is left behind."""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app import uploads
from app.launch import MAIN
from stgcn_lens.data.readers import READERS, ntu, read
from stgcn_lens.errors import DataError
from tests.app import test_pages
from tests.app.test_pages import words
from tests.data import people
from tests.data.makers import MAKERS


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch) -> Path:
    """Where temporary folders are made: nothing may be left in it."""
    place = tmp_path / "room"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def files_of(format: str, folder: Path) -> list[tuple[str, bytes]]:
    """A small set of a format, as one drops its files."""
    MAKERS[format](folder)
    return [(file.name, file.read_bytes()) for file in sorted(folder.rglob("*")) if file.is_file()]


def skeleton(tmp_path: Path, name: str = "S001C002P003R001A004") -> bytes:
    return ntu.write(people.clip(14, name=name), tmp_path / f"{name}.skeleton").read_bytes()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_format_can_be_brought_and_is_read_as_from_the_disk(reader, tmp_path, room):
    place = tmp_path / "source"
    MAKERS[reader.name](place)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in place.rglob("*"):
            archive.write(file, file.relative_to(place.parent))
    brought = uploads.read([("set.zip", content.getvalue())])
    clips = read(place)
    assert brought.info.format == reader.name
    assert brought.info.clips == len(clips) == len(brought.clips)
    for ours, theirs in zip(brought.clips, clips, strict=True):
        np.testing.assert_array_equal(ours.xyz, theirs.xyz)
    assert list(room.iterdir()) == []


def test_an_archive_is_unpacked_and_gone(tmp_path, room):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/S001C002P003R001A004.skeleton", skeleton(tmp_path))
    brought = uploads.read([("clips.zip", content.getvalue())])
    assert (brought.info.format, brought.info.path, len(brought.clips)) == ("ntu", "clips.zip", 1)
    assert list(room.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../../../escape.skeleton", "/etc/escape.skeleton", "..\\..\\escape.skeleton", "C:\\escape.skeleton"]
)
def test_a_name_leads_nowhere(tmp_path, room, name):
    brought = uploads.read([(name, skeleton(tmp_path))])
    assert brought.clips[0].name == "escape"
    assert not list(tmp_path.rglob("escape*"))
    assert not Path("/etc/escape.skeleton").exists()


def test_two_files_of_one_name_are_two_clips(tmp_path):
    one = skeleton(tmp_path)
    brought = uploads.read([("a.skeleton", one), ("a.skeleton", one)])
    assert len({clip.name for clip in brought.clips}) == 2


def test_names_that_are_markup_or_empty_stay_names(tmp_path):
    brought = uploads.read([("<script>alert(1)<", skeleton(tmp_path)), ("...", skeleton(tmp_path))])
    assert brought.info.clips == 2


def test_a_bad_file_beside_a_good_one_is_a_fault_and_alone_an_error_without_the_temporary_folder(tmp_path, room):
    good = skeleton(tmp_path)
    brought = uploads.read([("good.skeleton", good), ("cut.skeleton", good[: len(good) // 2])])
    assert [clip.name for clip in brought.clips] == ["good"]
    (fault,) = brought.info.faults
    assert (fault.file, fault.dropped) == ("cut.skeleton", "clip")
    assert "cut mid-frame" in fault.reason
    for content in (good[: len(good) // 2], b"\x80\x04nothing", b"", b"PK\x03\x04 cut"):
        with pytest.raises(DataError) as caught:
            uploads.read([("alone.skeleton", content)])
        assert "alone.skeleton" in str(caught.value)
        assert str(room) not in str(caught.value)
        assert "brought" not in str(caught.value)
    assert list(room.iterdir()) == []


def test_a_pickle_that_would_run_something_is_not_run(tmp_path, room):
    import pickle

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    with pytest.raises(DataError):
        uploads.read([("annotations.pkl", pickle.dumps({"annotations": [Evil()], "split": {}}))])
    assert not (tmp_path / "ran").exists()
    assert list(room.iterdir()) == []


def test_too_much_and_too_many_are_refused_before_anything_is_written(room, monkeypatch):
    with pytest.raises(DataError, match="too many files: got 501, expected at most 500"):
        uploads.read([("a", b"")] * 501)
    monkeypatch.setattr(uploads, "MOST_MB", 1)
    with pytest.raises(DataError, match="too much to upload: got 2 MB, expected at most 1 MB"):
        uploads.read([("a", bytes(1_000_000)), ("b", bytes(500_001))])
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_what_unpacks_to_too_much_is_refused(room, monkeypatch, kind):
    monkeypatch.setattr(uploads, "UNPACKED", 1 << 20)
    content = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.skeleton", bytes(3 << 20))
    else:
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            member = tarfile.TarInfo("a.skeleton")
            member.size = 3 << 20
            archive.addfile(member, io.BytesIO(bytes(3 << 20)))
    with pytest.raises(DataError, match="would unpack to too much"):
        uploads.read([(f"a.{kind}", content.getvalue())])
    assert list(room.iterdir()) == []


def test_only_so_many_clips_are_held_but_all_are_described(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_CLIPS", 2)
    one = skeleton(tmp_path)
    brought = uploads.read([(f"{i}.skeleton", one) for i in range(4)])
    assert (brought.info.clips, len(brought.clips)) == (4, 2)


def test_the_server_refuses_what_the_page_refuses():
    import tomllib

    settings = tomllib.loads((MAIN.parent / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == uploads.MOST_MB


def test_the_sample_is_a_clip_that_reads_back(room):
    brought = uploads.read([(uploads.SAMPLE, uploads.sample())])
    assert (brought.info.format, brought.info.layout, brought.info.clips) == ("ntu", "ntu25", 1)
    assert brought.info.faults == ()
    assert list(room.iterdir()) == []


def errors(app) -> list[str]:
    """Without the signs that keep names from being markup."""
    return [text.replace("\\", "") for text in test_pages.errors(app)]


def bring(app, *files: tuple[str, bytes]):
    return app.file_uploader("brought_files").set_value([(*file, "text/plain") for file in files]).run()


def test_the_page_says_what_was_understood_and_what_the_model_makes_of_it(open_app, whole, tmp_path):
    app = open_app(whole, "data")
    assert errors(app) == []
    assert "32 MB" in app.file_uploader("brought_files").label
    app = bring(app, ("mine.skeleton", skeleton(tmp_path)))
    assert errors(app) == []
    text = words(app)
    for said in ("**ntu**", "**ntu25 · 25 joints**", "**14**", "**30 a second**", "No fault was found."):
        assert said in text
    assert "Of the 24 actions that it knows, the model takes this clip for" in text
    assert "format      ntu; layout ntu25" in app.code[0].value


def test_a_clip_of_another_layout_is_read_joint_by_joint(open_app, whole, tmp_path):
    app = bring(open_app(whole, "data"), *files_of("utd-mhad", tmp_path / "source"))
    assert errors(app) == []
    assert "kinect20 is read as ntu25, joint by joint" in [element.label for element in app.expander]
    assert "left_thumb: left_hand stands in" in app.code[1].value
    app.selectbox("brought_clip").set_value(1).run()
    assert errors(app) == []
    assert "the model takes this clip for" in words(app)


def test_a_flat_clip_cannot_go_to_a_model_in_space_and_says_so(open_app, whole, tmp_path):
    app = bring(open_app(whole, "data"), *files_of("kinetics", tmp_path / "source"))
    assert "cannot become 'ntu25': got 2-D joints" in errors(app)[0]
    assert "**kinetics**" in words(app)


def test_a_broken_file_is_one_error_in_words_and_the_next_one_is_read(open_app, whole, tmp_path):
    good = skeleton(tmp_path)
    app = bring(open_app(whole, "data"), ("mine.skeleton", good[:2000]))
    found = errors(app)
    assert len(found) == 1
    assert "mine.skeleton" in found[0]
    assert "cut mid-frame" in found[0]
    app = bring(app, ("mine.skeleton", good))
    assert errors(app) == []
    assert "the model takes this clip for" in words(app)


def test_faults_are_listed(open_app, whole, tmp_path):
    good = skeleton(tmp_path)
    app = bring(open_app(whole, "data"), ("good.skeleton", good), ("cut.skeleton", good[:2000]))
    assert "**1 fault**" in words(app)
    table = app.dataframe[0].value
    assert table[["file", "what"]].values.tolist() == [["cut.skeleton", "left out"]]


def test_without_a_model_it_is_described_all_the_same(open_app, copy, tmp_path):
    (copy / "model.safetensors").unlink()
    app = bring(open_app(copy, "data"), ("mine.skeleton", skeleton(tmp_path)))
    assert errors(app) == []
    assert "**ntu25 · 25 joints**" in words(app)
    assert "Choose a run with a model" in app.info[0].value


def test_what_was_brought_outlives_a_visit_to_another_page_until_it_is_forgotten(open_app, whole, tmp_path):
    app = bring(open_app(whole, "data"), ("mine.skeleton", skeleton(tmp_path)))
    app.switch_page("views/clip.py").run()
    app.switch_page("views/data.py").run()
    assert "**ntu25 · 25 joints**" in words(app)
    next(button for button in app.button if button.label == "Forget this recording").click().run()
    assert "Drop a recording here" in words(app)
