"""What is looked at before a workbook is read: a file that isn't what it says must not cost memory, or run anything.

Nothing here trusts a size that the file declares: what is inflated is counted as it comes. Parts are parsed as a
stream, without a document type, so that no entity is ever expanded or fetched.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from riskcalc.errors import Problem, RegisterError

MB = 1_000_000
CHUNK = 1 << 16
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how .xls begins, and an .xlsx that is encrypted
_MACROS = ("vbaproject.bin", "/macrosheets/", "/activex/", "vbadata.xml")
_END = struct.Struct("<4s4H2LH")  # the record that ends a zip file


@dataclass(frozen=True)
class Limits:
    """How much a workbook may hold; far above any register, far below what a machine can't bear."""

    file_bytes: int = 100 * MB
    directory_bytes: int = 1 * MB
    entries: int = 2_000
    inflated_bytes: int = 600 * MB
    ratio: int = 200
    ratio_from: int = 10 * MB  # small parts may well be that repetitive
    token_bytes: int = 2 * MB
    characters: int = 200 * MB
    cells: int = 5_000_000
    columns: int = 256
    unlisted_rows_hidden: bool = False  # allowed where only rows that are listed are of interest


LIMITS = Limits()


class RefusedError(Exception):
    """A file that is refused as it is; the message says what to do."""


@contextmanager
def guarded(path: Path, limits: Limits = LIMITS) -> Iterator[Package]:
    """The parts of a workbook, if it may be read; raises RegisterError, with what to do about it, if not."""
    try:
        with open(path, "rb") as file:
            _check_beginning(path, file, limits)
            with zipfile.ZipFile(file) as archive:
                _check_entries(archive.infolist(), limits)
                yield Package(archive, limits)
    except RefusedError as error:
        raise refusal(path, str(error)) from None
    except expat.ExpatError as error:
        raise refusal(path, f"a part of it is damaged ({error}); open it in a spreadsheet and save it again") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error) as error:
        raise refusal(path, f"is damaged ({error}); open it in a spreadsheet and save it again") from None
    except OSError as error:
        raise refusal(path, f"can't be read: {error.strerror or error}") from None


def refusal(path: Path, allowed: str) -> RegisterError:
    """The error for a file that is refused as a whole."""
    return RegisterError([Problem(path.name, 0, "", "", allowed)])


class Package:
    """The parts of a workbook that passed; each is read as a stream."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive, self.limits, self._left = archive, limits, limits.inflated_bytes
        self._characters = limits.characters
        self.names = set(archive.namelist())

    def parse(
        self, name: str, start: Callable[[str, dict[str, str]], object], **handlers: Callable[[str], object]
    ) -> None:
        """Parse a part: ``start(tag, attributes)``, and by keyword ``end(tag)`` and ``text(characters)``.

        Tags come without their prefix. Raises RefusedError for a document type and for what is out of all proportion.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
        if end := handlers.get("end"):
            parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
        if text := handlers.get("text"):
            parser.CharacterDataHandler = self._counted(text)
        parser.StartDoctypeDeclHandler = _no_document_type
        fed = 0
        for chunk in self._chunks(name):
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > self.limits.token_bytes:
                raise RefusedError(f"{name} holds a piece of markup of more than {self.limits.token_bytes:,} bytes")
        parser.Parse(b"", True)

    def read(self, name: str) -> bytes:
        """A part as it is; raises RefusedError for what is out of all proportion."""
        return b"".join(self._chunks(name))

    def _counted(self, text: Callable[[str], object]) -> Callable[[str], None]:
        def collect(characters: str) -> None:
            self._characters -= len(characters)
            if self._characters < 0:
                raise RefusedError(f"holds more than {self.limits.characters:,} characters: not a register")
            text(characters)

        return collect

    def _chunks(self, name: str) -> Iterator[bytes]:
        with self._archive.open(name) as part:
            while chunk := part.read(CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise RefusedError(f"unpacks to more than {self.limits.inflated_bytes // MB} MB: not a register")
                yield chunk


def _no_document_type(*_: object) -> None:
    raise RefusedError("declares a document type, as no spreadsheet does; save it again in a spreadsheet")


def _check_beginning(path: Path, file: BinaryIO, limits: Limits) -> None:
    """Refuse by the first bytes and by the zip's own summary, before the list of its entries is read."""
    first, size = file.read(8), file.seek(0, 2)
    if path.suffix.lower() in (".xlsm", ".xltm", ".xlam"):
        raise RefusedError("may hold macros; save it as .xlsx")
    if first == OLE:
        raise RefusedError("is an old .xls file, or protected by a password; save it as .xlsx without a password")
    if not first.startswith(b"PK\x03\x04"):
        raise RefusedError("is no .xlsx workbook; save it as .xlsx in a spreadsheet, or as CSV files in a folder")
    if size > limits.file_bytes:
        raise RefusedError(f"has {size // MB} MB; allowed: {limits.file_bytes // MB} MB")
    file.seek(max(size - _END.size, 0))
    mark, *_, entries, directory, _, comment = _END.unpack(file.read(_END.size).rjust(_END.size, b"\0"))
    if mark != b"PK\x05\x06" or comment:
        raise RefusedError("is cut off or damaged; open it in a spreadsheet and save it again")
    if entries > limits.entries or directory > limits.directory_bytes:
        raise RefusedError(f"holds more than {limits.entries:,} parts: not a register")
    file.seek(0)


def _check_entries(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    names = [entry.filename for entry in entries]
    if "xl/workbook.xml" not in names and "[Content_Types].xml" not in names:
        raise RefusedError("is a zip file, but no .xlsx workbook")
    if len(set(names)) < len(names):
        raise RefusedError("holds a part twice; open it in a spreadsheet and save it again")
    if any(macro in f"/{name.lower()}" for name in names for macro in _MACROS):
        raise RefusedError("holds macros; save it as .xlsx, which has none")
    if any(entry.flag_bits & 1 for entry in entries):
        raise RefusedError("is protected by a password; save it without one")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        raise RefusedError("is packed in a way that spreadsheets don't use; open it in one and save it again")
    _check_sizes(entries, limits)


def _check_sizes(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if (declared := sum(entry.file_size for entry in entries)) > limits.inflated_bytes:
        raise RefusedError(f"unpacks to {declared // MB:,} MB; allowed: {limits.inflated_bytes // MB} MB")
    for entry in entries:
        if entry.file_size > max(limits.ratio_from, entry.compress_size * limits.ratio):
            raise RefusedError(f"{entry.filename} unpacks to more than {limits.ratio} times its size: not a register")
