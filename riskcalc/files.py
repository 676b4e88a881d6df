"""Files: names that can't collide, content that is whole or not there at all, CSV that every reader reads back."""

from __future__ import annotations

import codecs
import csv
import errno
import hashlib
import io
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from riskcalc.errors import Problem, RegisterError

SAVE_AS = "in a spreadsheet, save as CSV in UTF-8 with commas"
_WIDEST = 16_384  # columns; as many as a spreadsheet has
_SLICE = 1_000_000  # bytes
LARGEST = 500_000_000  # bytes of a file; far above any register
PART = ".part-"  # how the name of a file begins that isn't whole yet

# Names that the run itself uses, or that Windows keeps for devices.
_RESERVED = {
    "index",
    "manifest",
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)),
}
_UNBLOCKED = getattr(os, "O_NONBLOCK", 0)  # Windows has neither the flag nor such pipes
FORMULAS = tuple("=+-@\t\r＝＋－＠")  # how a text begins that a spreadsheet may take for a formula


def stem(unit_id: str, digits: int = 16) -> str:
    """The file name, without its ending, for a unit's outputs.

    A unit id of lower-case letters, digits and hyphens is its own name; any other gets a digest of itself, so
    that two units don't share a file, not even where a file system ignores case: with 16 digits, nobody finds two
    that do. Fewer ``digits`` are enough where a clash does no harm.

    >>> stem("payroll"), stem("Zürich / Süd")
    ('payroll', 'zurich-sud-6f90d94263af1266')
    """
    plain = re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", unit_id) and not re.fullmatch(f".*-[0-9a-f]{{{digits}}}", unit_id)
    if plain and len(unit_id) <= 60 and unit_id not in _RESERVED:
        return unit_id
    letters = unicodedata.normalize("NFKD", unit_id).encode("ascii", "ignore").decode().lower()
    readable = re.sub("[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-") or "unit"
    return f"{readable}-{hashlib.sha256(unit_id.encode()).hexdigest()[:digits]}"


def read(path: Path, inside: Path | None = None, most: int = LARGEST) -> bytes:
    """The content of a file that came from somebody else.

    ``inside`` is a folder that links must not lead out of: a register that was sent in is to show nothing but itself.

    Raises:
        OSError: there is no such file, or it is a folder, a pipe or a device, leads out of ``inside``, or holds more
            than ``most`` bytes; ``strerror`` says so.
    """
    if inside and path.is_symlink() and not path.resolve().is_relative_to(inside.resolve()):
        raise OSError(errno.EPERM, f"is a link that leads out of {inside}; put the file itself there")
    # A pipe that nobody writes into would block the opening, and a device might never end.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _UNBLOCKED)) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "is a pipe or a device; allowed: a file")
        if state.st_size > most:
            raise OSError(errno.EFBIG, f"holds more than {most // 1_000_000:,} MB; not a register")
        return file.read()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that after a crash at any moment the old or the new content is there, whole.

    Raises OSError, with this file's name, where that can't be done.
    """
    # Not tempfile, whose files only their owner may read: to open them up one would have to know the umask, and that
    # can be read only by setting it, for all threads.
    temporary = path.with_name(f"{PART}{path.name[:40]}-{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None  # a full disk names no file
        raise


def sha256(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


_CSV_ERRORS = {
    "unexpected end of data": "a quote that is opened in this row is never closed",
    "expected after": "a quoted cell goes on after its closing quote; inside a cell, quotes are doubled",
    "field larger than field limit": "a cell is longer than 131,072 characters, or a quote before it is never closed",
}


def csv_rows(
    content: bytes, file: str, encoding: str = "utf-8", separator: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file, each with the line that it starts at; wholly blank ones are passed over.

    Raises:
        RegisterError: while records are taken, at the first that can't be: not in this encoding, not CSV as every
            reader has it, or of more than 16,384 cells. ``.problems`` holds one, with ``file`` and line.

    >>> list(csv_rows(b'a,b\\n"1\\n2",3\\n\\n4,5\\n', "small.csv"))
    [(1, ['a', 'b']), (2, ['1\\n2', '3']), (5, ['4', '5'])]
    """

    def refused(line: int, value: str, allowed: str) -> RegisterError:
        return RegisterError([Problem(file, line, "", value, allowed)])

    if spoilt := _spoilt(content, encoding):
        raise refused(*spoilt)
    lines = io.TextIOWrapper(io.BytesIO(content), encoding, newline="")  # a StringIO takes four times as much memory
    if lines.read(1) != "\ufeff":
        lines.seek(0)
    reader = csv.reader(lines, strict=True, delimiter=separator)
    start = 1
    try:
        for cells in reader:
            if len(cells) > _WIDEST:
                raise refused(start, "", f"{len(cells):,} cells; allowed: {_WIDEST:,}")
            if any(cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        told = next((told for known, told in _CSV_ERRORS.items() if known in str(error)), "")
        raise refused(start, "", told or f"can't be read as CSV: {error}") from None


def _spoilt(content: bytes, encoding: str) -> tuple[int, str, str] | None:
    """Why content can't be read as text, with the line and what stands there."""
    parts = codecs.iterdecode((content[at : at + _SLICE] for at in range(0, len(content), _SLICE)), encoding)
    try:
        if not any("\0" in part for part in parts):  # as one text, a long table would take its size twice more
            return None
        before, _, _ = content.decode(encoding).partition("\0")
    except UnicodeError:
        at = _undecodable(content, encoding)
        line, name = len(content[: at + 1].splitlines()), encoding.upper()
        return line, f"byte 0x{content[at]:02x}", f"is not {name}; {SAVE_AS}"
    return before.count("\n") + 1, "", "holds a NUL character; save the file as CSV again"


def _undecodable(content: bytes, encoding: str) -> int:
    """The place of the first byte that isn't in an encoding."""
    try:
        content.decode(encoding)
    except UnicodeError as error:
        return error.start if isinstance(error, UnicodeDecodeError) else 0
    return 0


def as_line(cells: Iterable[object], ending: str = "\n", separator: str = ",") -> str:
    """A row, with quotes only where they are needed; a lone carriage return needs them on every Python.

    >>> as_line(["a", "b,c", "d"], "")
    'a,"b,c",d'
    """
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n", delimiter=separator).writerow(cells)
    return out.getvalue().removesuffix("\r\n") + ending


def for_people(text: str) -> str:
    """A cell of a file that people open in a spreadsheet: what would be a formula gets an apostrophe before it.

    >>> for_people("=1+1"), for_people("-12.50"), for_people("A-1")
    ("'=1+1", '-12.50', 'A-1')
    """
    number = re.fullmatch(r"[-+]?[0-9]+([.,][0-9]+)*", text)
    return f"'{text}" if text.startswith(FORMULAS) and not number else text
