"""What is written can be read again: the same coordinates to the last bit, the same masks, and what has a place."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.cli import main
from stgcn_lens.data import READERS, ClipSet, read
from stgcn_lens.data.convert import check_out, convert, writer_of
from stgcn_lens.data.readers import recognise
from stgcn_lens.data.writers import WRITERS, ctr_gcn, st_gcn
from stgcn_lens.data.writers.losses import losses
from stgcn_lens.data.writers.target import FIELDS
from stgcn_lens.errors import DataError, WorkError
from tests.data import people
from tests.disk import no_file_above

EACH = pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.name)
NAMES = ("S001C001P001R001A001", "S001C002P002R001A003", "S002C003P003R001A002", "S001C001P004R002A003")


def clips(**about):
    """Four NTU clips of one or two people, who leave and return; classes with odd names, one of them without clips."""
    made = []
    for i, name in enumerate(NAMES):
        setup, view, subject, label = (int(name[at : at + 3]) for at in (1, 5, 9, 17))
        known = {"setup": setup, "view": view, "subject": subject, "label": label - 1}
        made.append(people.clip(5 + 3 * i, 1 + i % 2, seed=i, name=name, **known))
    made[1] = people.without(made[1], 1, [0, 3, 4])
    made[2] = people.without(made[2], 0, [4, 5])  # nobody, in the middle
    made[0].xyz[:, 2, 7, 0] = 0  # a joint at the origin is a joint
    made[3].xyz[:, 1] *= np.float32(1e-30)
    return ClipSet.from_clips(made, ["wave", "a b, c", "größer", "unused"], protocol="ntu60", **about)


def place(writer, folder):
    """Where a writer may write."""
    return folder / f"out{writer.suffix or ''}"


def sides_of(made, *names):
    return np.resize(np.array(names or ("none",), dtype="<U5"), len(made))


def canonical(clip):
    """What every format can hold of a clip: no trailing empty frames, no slot that stays empty."""
    frames = np.flatnonzero(clip.valid.any(axis=1))[-1] + 1
    slots = np.flatnonzero(clip.valid.any(axis=0))
    xyz, valid = clip.xyz[:, :frames][..., slots], clip.valid[:frames][:, slots]
    return clip.label, xyz.dtype.str, xyz.shape, xyz.tobytes(), valid.tobytes()


def trains(splits):
    """The only side of a clip; what watches and what tests goes by either name where there is one of them."""
    (side,) = splits or ("none",)
    return {"val": "test"}.get(str(side), str(side))


def contents(made):
    return sorted(map(canonical, made), key=repr)


def refused(writer, made, out):
    """What a writer says of clips that its format cannot hold; "" where it has written them."""
    try:
        writer.write(made, out, sides_of(made), None)
    except DataError as error:
        return str(error)
    return ""


@EACH
def test_every_writer_has_a_reader_of_its_name_and_says_what_it_keeps(writer):
    assert writer.name in {reader.name for reader in READERS}
    assert set(writer.keeps) <= set(FIELDS)
    assert bool(writer.files) == (writer.suffix is None)
    assert writer.suffix is None or writer.suffix.startswith(".")


@EACH
def test_coordinates_come_back_to_the_last_bit_with_masks_and_labels(writer, tmp_path):
    made = clips()
    out = place(writer, tmp_path)
    assert {fault.dropped for fault in writer.write(made, out, sides_of(made), None)} <= {"nothing"}
    source = recognise(out)
    assert source.reader.name == writer.name
    back = read(out)
    assert back.faults == ()
    assert contents(back) == contents(made)
    assert back.xyz.dtype == np.float32
    assert out.is_file() == (writer.suffix is not None)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]  # nothing temporary


@EACH
def test_what_a_writer_says_it_keeps_comes_back_and_nothing_else_is_silently_lost(writer, tmp_path):
    made = replace(clips(), fps=12.5, units="unknown")
    sides = sides_of(made, "train", "test")
    out = place(writer, tmp_path)
    own = writer.write(made, out, sides, None)
    back = read(out)
    key = (lambda row: row.name) if "names" in writer.keeps else (lambda row: (row.label, row.frames))
    rows = list(zip(sorted(made.rows, key=key), sorted(back.rows, key=key), strict=True))
    side = dict(zip((row.name for row in made.rows), sides, strict=True))
    came = {
        "names": all(a.name == b.name for a, b in rows),
        "labels": all(a.label == b.label for a, b in rows),
        "classes": made.classes == back.classes,
        "subjects": all(a.subject == b.subject for a, b in rows),
        "views": all(a.view == b.view for a, b in rows),
        "setups": all(a.setup == b.setup for a, b in rows),
        "sides": all(trains(b.splits) == trains((side[a.name],)) for a, b in rows),
        "fps": back.fps == made.fps,
        "units": back.units == made.units,
        "layout": back.layout == made.layout,
        "protocol": back.protocol == made.protocol,
    }
    general = " ".join(fault.reason for fault in losses(made, sides, writer))
    told = general + " ".join(fault.reason for fault in own)
    words = {"fps": "frames a second (12.5)", "units": "units (unknown)", "protocol": "protocol (ntu60)"}
    for field, same in came.items():
        assert same or words.get(field, field) in told, field
        assert same != (words.get(field, field) in general) or field in writer.keeps, field


@EACH
def test_sides_are_those_that_were_given(writer, tmp_path):
    made = clips()
    out = place(writer, tmp_path)
    sides = sides_of(made, "train", "val")
    writer.write(made, out, sides, None)
    back = read(out)
    assert contents(back) == contents(made)
    if "sides" in writer.keeps:
        of = {canonical(clip): trains(clip.splits) for clip in back}
        assert [of[canonical(clip)] for clip in made] == [trains((side,)) for side in sides]


@EACH
def test_progress_counts_clips(writer, tmp_path):
    seen = []
    made = clips()
    writer.write(made, place(writer, tmp_path), sides_of(made), lambda *at: seen.append(at))
    assert seen == [(i + 1, len(made)) for i in range(len(made))]


@EACH
def test_a_full_disk_leaves_nothing_half_written_and_the_old_in_place(writer, tmp_path):
    made, other = clips(), clips().subset([1])
    out = place(writer, tmp_path)
    with no_file_above(900), pytest.raises(WorkError, match="cannot write"):
        writer.write(made, out, sides_of(made), None)
    assert list(tmp_path.iterdir()) == []
    writer.write(other, out, sides_of(other), None)
    with no_file_above(900), pytest.raises(WorkError, match="cannot write"):
        writer.write(made, out, sides_of(made), None)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert contents(read(out)) == contents(other)


class Failing(ClipSet):
    """A set whose third clip cannot be read."""

    def __getitem__(self, i):
        if i == 2:
            raise DataError("a clip that cannot be read", file=self.rows[i].name)
        return super().__getitem__(i)


@EACH
def test_a_clip_that_fails_in_the_middle_leaves_nothing_half_written(writer, tmp_path):
    made = clips()
    failing = Failing(**{name: getattr(made, name) for name in made.__dataclass_fields__})
    with pytest.raises(DataError, match="a clip that cannot be read"):
        writer.write(failing, place(writer, tmp_path), sides_of(made), None)
    assert list(tmp_path.iterdir()) == []


@EACH
def test_three_bodies_come_back_or_the_two_of_largest_energy_and_it_is_said(writer, tmp_path):
    made = ClipSet.from_clips([people.clip(6, 3), people.clip(4, 1, name=NAMES[0], label=0)], list("abcd"))
    out = place(writer, tmp_path)
    told = writer.write(made, out, sides_of(made), None)
    back = read(out)
    if back.max_bodies == 3:
        assert contents(back) == contents(made)
        return
    two = made[0].replace(xyz=made[0].xyz[..., :2], valid=made[0].valid[:, :2])  # later bodies are smaller
    assert contents(back) == contents([two, made[1]])
    assert any(fault.file == made.rows[0].name and fault.dropped == "nothing" for fault in told)


@EACH
def test_clips_without_a_label_are_written_or_refused_but_never_get_one(writer, tmp_path):
    made = ClipSet.from_clips([people.clip(6, name=f"clip {i}", seed=i, label=None) for i in range(2)], ())
    out = place(writer, tmp_path)
    if refused(writer, made, out):
        assert "label" in refused(writer, made, out)
        assert list(tmp_path.iterdir()) == []
    else:
        assert contents(read(out)) == contents(made)


@EACH
@pytest.mark.parametrize("layout", ["kinect20", "openpose18", "coco17"])
def test_other_layouts_are_written_or_refused_with_what_fits(writer, layout, tmp_path):
    made = ClipSet.from_clips([people.clip(6, layout=layout, label=0)], ["a"])
    out = place(writer, tmp_path)
    if refused(writer, made, out):
        assert "joints" in refused(writer, made, out)
        assert list(tmp_path.iterdir()) == []
    else:
        assert contents(read(out, layout=layout)) == contents(made)


@EACH
def test_a_second_conversion_needs_force_and_other_things_are_never_replaced(writer, tmp_path):
    clips().save(tmp_path / "in")
    (tmp_path / "to").mkdir()
    out = place(writer, tmp_path / "to")
    done = convert(tmp_path / "in", out, writer.name)
    assert done.bytes == sum(file.stat().st_size for file in [out, *out.rglob("*")] if file.is_file())
    with pytest.raises(DataError, match=rf"is there already, in format {writer.name}; replace it with --force"):
        convert(tmp_path / "in", out, writer.name)
    ClipSet.open(tmp_path / "in").subset([0]).save(tmp_path / "less")
    assert convert(tmp_path / "less", out, writer.name, force=True).clips == 1
    assert len(read(out)) == 1
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    if out.is_dir():
        (out / "thesis.tex").write_text("x")
    else:
        out.write_bytes(b"x")
    with pytest.raises(DataError, match="would overwrite other things"):
        convert(tmp_path / "in", out, writer.name, force=True)
    assert (out / "thesis.tex" if out.is_dir() else out).read_text() == "x"


@pytest.mark.parametrize("kind", ["native", "ntu"])
def test_a_conversion_never_writes_into_what_it_reads(kind, tmp_path):
    made = clips().save(tmp_path / "set" / "in")
    assert made.folder is not None
    for out in (made.folder, made.folder / "deeper", made.folder.parent):
        with pytest.raises(DataError, match="would write into what it reads"):
            check_out(made.folder, out, writer_of(kind), True)


def test_a_file_of_the_wrong_name_is_refused_with_a_better_one(tmp_path):
    single = next((writer for writer in WRITERS if writer.suffix), None)
    if single is None:
        pytest.skip("no format of one file")
    with pytest.raises(DataError, match=f"is one file: .* write to .*out{single.suffix}"):
        check_out(tmp_path / "in", tmp_path / "out", single, False)


def test_an_unknown_format_lists_those_that_can_be_written():
    with pytest.raises(DataError, match=f"got 'bvh', expected one of {', '.join(w.name for w in WRITERS)}"):
        writer_of("bvh")


def test_the_documents_have_a_row_for_every_format_that_is_read_and_written():
    text = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    read_, written = text.partition("## What is written")[::2]
    rows = lambda part: re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)  # noqa: E731
    assert sorted(rows(read_)) == sorted(reader.name for reader in READERS)
    assert sorted(rows(written)) == sorted(writer.name for writer in WRITERS)


def test_the_commands_of_the_document_parse(capsys):
    text = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    commands = re.findall(r"^stgcn-lens (.+)$", text, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        assert main([*shlex.split(command), "--dry-run"]) == 0, command
    capsys.readouterr()


def divided(*splits):
    """The clips, their source's sides put on in turn."""
    return replace(clips(), rows=tuple(replace(row, splits=splits[i % 2]) for i, row in enumerate(clips().rows)))


PADDED = pytest.mark.parametrize("writer", [st_gcn.WRITER, ctr_gcn.WRITER], ids=lambda writer: writer.name)


@PADDED
def test_the_sides_of_the_source_are_kept_whatever_it_calls_their_family(writer, tmp_path):
    made = divided(("xsub_train",), ("xsub_val",))
    out = place(writer, tmp_path)
    assert not any("side" in fault.reason for fault in writer.write(made, out, sides_of(made), None))
    of = {canonical(clip): trains(clip.splits) for clip in read(out)}
    assert [of[canonical(clip)] for clip in made] == ["train", "test", "train", "test"]


@PADDED
def test_a_source_that_divides_its_clips_in_two_ways_is_not_written_as_undivided(writer, tmp_path):
    made = divided(("xsub_train", "xview_val"), ("xsub_val", "xview_train"))
    with pytest.raises(DataError, match="several ways: got xsub, xview, expected one; name one of them with --split"):
        writer.write(made, place(writer, tmp_path), sides_of(made), None)
    assert list(tmp_path.iterdir()) == []


@PADDED
def test_sides_of_names_that_are_none_are_said_to_be_lost(writer, tmp_path):
    made = divided(("fold a",), ("fold b",))
    told = [fault.reason for fault in writer.write(made, place(writer, tmp_path), sides_of(made), None)]
    assert "no place for sides called fold a, fold b" in told
