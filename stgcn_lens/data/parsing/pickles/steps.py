"""What each byte of a pickle has the machine do, and the loop over them."""

import mmap
import struct
from collections.abc import Callable
from typing import Any

from stgcn_lens.data.parsing.pickles.machine import Machine
from stgcn_lens.errors import DataError

_STOP = ord(".")


def run(view: mmap.mmap, file: str) -> Any:
    """The value of the pickle in a mapped file; `DataError` names the byte that is wrong."""
    at, machine = 0, Machine(view, file)
    try:
        while (code := view[at]) != _STOP:
            machine.at = at + 1
            _STEPS[code](machine)
            at = machine.at
        machine.at = at + 1
        return machine.end()
    except DataError:
        raise
    except IndexError:
        cut = max(at, machine.at) >= len(view)
        why = "the file ends here" if cut else "it takes a value that was never put there"
    except (ValueError, TypeError, OverflowError, KeyError, struct.error, MemoryError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
    raise DataError(
        f"not a pickle of plain data; byte {at} of {len(view)}",
        file=file,
        got=why,
        expected="containers, numbers, text and numpy arrays",
        fix="get the file again, or save its content as such",
    )


def _protocol(number: int) -> None:
    if number > 5:
        raise ValueError(f"protocol {number}; 0 to 5 are known")


def _mutable(value: Any) -> Any:
    return bytearray(value) if type(value) is bytes else value


def _refuse(why: str) -> Callable[[Machine], None]:
    def step(machine: Machine) -> None:
        raise ValueError(why)

    return step


_UNKNOWN = _refuse("a byte that is no instruction for data")
# One row an instruction; what a row lacks is refused as unknown.
_BY_CODE: dict[bytes, Callable[[Machine], Any]] = {
    b"\x80": lambda m: _protocol(m.number(1)),
    b"\x95": lambda m: m.frame(m.number(8)),
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"J": lambda m: m.stack.append(m.signed(4)),
    b"K": lambda m: m.stack.append(m.number(1)),
    b"M": lambda m: m.stack.append(m.number(2)),
    b"\x8a": lambda m: m.stack.append(m.signed(m.number(1))),
    b"\x8b": lambda m: m.stack.append(m.signed(m.number(4))),
    b"I": Machine.whole,
    b"L": Machine.whole,
    b"F": lambda m: m.stack.append(float(m.line())),
    b"G": lambda m: m.stack.append(*struct.unpack(">d", m.take(8))),
    b"\x8c": lambda m: m.text(m.take(m.number(1))),
    b"X": lambda m: m.text(m.take(m.number(4))),
    b"\x8d": lambda m: m.text(m.take(m.number(8))),
    b"V": Machine.line_of_text,
    b"U": lambda m: m.old_text(m.payload(m.number(1))),
    b"T": lambda m: m.old_text(m.payload(m.number(4))),
    b"S": Machine.quoted,
    b"C": lambda m: m.stack.append(m.payload(m.number(1))),
    b"B": lambda m: m.stack.append(m.payload(m.number(4))),
    b"\x8e": lambda m: m.stack.append(m.payload(m.number(8))),
    b"\x96": lambda m: m.stack.append(_mutable(m.payload(m.number(8)))),
    b"(": Machine.mark,
    b")": lambda m: m.stack.append(()),
    b"]": lambda m: m.new([]),
    b"}": lambda m: m.new({}),
    b"\x8f": lambda m: m.new(set(), 4),
    b"\x85": lambda m: m.last(1),
    b"\x86": lambda m: m.last(2),
    b"\x87": lambda m: m.last(3),
    b"t": lambda m: m.new(tuple(m.items())),
    b"l": lambda m: m.new(m.items()),
    b"d": Machine.dict,
    b"\x91": Machine.frozenset,
    b"a": lambda m: m.append([m.stack.pop()]),
    b"e": lambda m: m.append(m.items()),
    b"\x90": lambda m: m.add(m.items()),
    b"s": lambda m: m.set_items([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.set_items(m.items()),
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(m.number(1)),
    b"r": lambda m: m.put(m.number(4)),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.get(int(m.line())),
    b"h": lambda m: m.get(m.number(1)),
    b"j": lambda m: m.get(m.number(4)),
    b"c": lambda m: m.name(str(m.line(), "utf-8"), str(m.line(), "utf-8")),
    b"i": lambda m: m.name(str(m.line(), "utf-8"), f"{str(m.line(), 'utf-8')} (an object)"),
    b"\x93": lambda m: m.name(m.stack.pop(-2), m.stack.pop()),
    b"R": Machine.reduce,
    b"b": Machine.build,
    **dict.fromkeys((b"P", b"Q"), _refuse("it names an object outside the file")),
    **dict.fromkeys((b"\x82", b"\x83", b"\x84"), _refuse("it asks for an extension's code")),
    **dict.fromkeys((b"\x97", b"\x98"), _refuse("its arrays lie outside the file")),
    **dict.fromkeys((b"o", b"\x81", b"\x92"), _refuse("it asks to make an object of a class")),
}
_STEPS = [_BY_CODE.get(bytes([code]), _UNKNOWN) for code in range(256)]
