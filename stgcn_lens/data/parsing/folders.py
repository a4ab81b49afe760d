"""Classes of files whose format knows none: the folders that the files lie in."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.source import Contents, Found, OnFault, class_names, each, names


def labelled(found: Found, parse: Callable[[Path, str, OnFault, str | None, int | None], Clip]) -> Contents:
    """Files of one clip each, labelled by their folders; `parse` gets layout and label beside what `each` gives it."""
    classes, label = labels(found.files)

    def one(file: Path, name: str, on_fault: OnFault) -> Clip:
        return parse(file, name, on_fault, found.layout, label.get(file))

    return Contents(lambda *told: each(names(found.path, found.files), one, *told), tuple(classes))


def labels(files: Sequence[Path]) -> tuple[list[str], dict[Path, int]]:
    """The classes, and the label of every file that has one.

    Where a classes.txt lies beside the files or up to two folders above them, a file in a folder of one of its names
    has that label. Without one, the folders' names, sorted, are the classes, if there is more than one and every file
    lies in one of them: directly below the folder that holds them all.
    """
    home = Path(os.path.commonpath([file.parent for file in files]))
    classes = class_names(home) or []
    if not classes and all(file.parent.parent == home for file in files):
        classes = sorted({file.parent.name for file in files})
    label = {name: i for i, name in reversed(list(enumerate(classes)))}
    return classes, {file: label[file.parent.name] for file in files if file.parent.name in label}
