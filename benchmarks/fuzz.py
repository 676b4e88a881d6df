"""The readers, fuzzed by atheris: ``python -m benchmarks.fuzz KIND CORPUS``, KIND being csv, sheet, part or file.

Further options are libFuzzer's, such as -max_total_time=600. Whatever the bytes, a reader ends with its rows or with a
RiskcalcError; anything else is a finding, to be kept as a test. ``sheet`` and ``part`` put the bytes into a workbook as
its sheet, or as another of its parts: zip files that are mutated as a whole (``file``) seldom get past their checksums.
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["riskcalc", "zipfile", "csv"]):
    from riskcalc.errors import RiskcalcError
    from riskcalc.register.checked_rows import read_table
    from riskcalc.register.methodology import Methodology
    from riskcalc.register.xlsx_cells import open_workbook
    from riskcalc.register.xlsx_tables import read_sheet, read_workbook

ROOT = Path(__file__).parent.parent
FOLDER = Path(tempfile.mkdtemp(prefix="riskcalc-fuzz-"))
METHODOLOGY = Methodology.read(ROOT / "data" / "methodology.toml")
PARTS = ["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/y.xml", "xl/s.xml"]


def template() -> dict[str, bytes]:
    """The parts of a small valid workbook."""
    from riskcalc.excel.commands import template as made

    with zipfile.ZipFile(io.BytesIO(made())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


VALID = template()
CELLS = (
    b'<worksheet><cols><col min="1" max="2" hidden="1"/></cols><sheetData>'
    b'<row r="1" hidden="1"><c r="A1" t="s"><v>0</v></c>'
    b'<c r="B1" t="b"><v>1</v></c><c r="C1" s="1"><f>1</f><v>45000</v></c><c t="inlineStr"><is><r><t>a_x000D_</t></r>'
    b'<rPh><t>b</t></rPh></is></c></row></sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells></worksheet>'
)
SMALL = {
    "xl/workbook.xml": b'<workbook><sheets><sheet name="ratings" id="r"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": b'<Relationships><Relationship Id="r" Type="/worksheet" Target="sheet.xml"/>'
    b'<Relationship Id="t" Type="/sharedStrings" Target="s.xml"/><Relationship Id="y" Type="/styles" Target="y.xml"/>'
    b"</Relationships>",
    "xl/s.xml": b"<sst><si><t>risk_id</t></si><si><t>period</t></si></sst>",
    "xl/y.xml": b'<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
}


def packed(parts: dict[str, bytes]) -> Path:
    """A workbook of these parts."""
    path = FOLDER / "fuzz.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def fuzz_csv(data: bytes) -> None:
    """A table's file."""
    (FOLDER / "ratings.csv").write_bytes(data)
    read_table(FOLDER, "ratings", METHODOLOGY)


def fuzz_sheet(data: bytes) -> None:
    """A sheet."""
    with open_workbook(packed({**SMALL, "xl/sheet.xml": data})) as book:
        read_sheet(book, "ratings", "fuzz.xlsx", METHODOLOGY)


def fuzz_part(data: bytes) -> None:
    """One of the other parts, chosen by the first byte."""
    with open_workbook(
        packed({**SMALL, PARTS[(data or b"\0")[0] % len(PARTS)]: data[1:], "xl/sheet.xml": CELLS})
    ) as book:
        for name in book.sheets:
            book.grid(name)


def fuzz_file(data: bytes) -> None:
    """A whole file."""
    (FOLDER / "fuzz.xlsx").write_bytes(data)
    read_workbook(FOLDER / "fuzz.xlsx")


def seeds(kind: str, corpus: Path) -> None:
    """Valid inputs to begin with."""
    corpus.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        (corpus / "seed").write_bytes(b"".join((ROOT / "data" / "ratings.csv").read_bytes().splitlines(True)[:4]))
    elif kind == "sheet":
        (corpus / "cells").write_bytes(CELLS)
    elif kind == "part":
        for place, name in enumerate(PARTS):
            (corpus / f"seed{place}").write_bytes(bytes([place]) + SMALL[name])
    else:
        with zipfile.ZipFile(corpus / "seed", "w") as archive:
            for name, content in VALID.items():
                archive.writestr(name, content)


def main() -> None:
    """Fuzz one reader."""
    kind, corpus = sys.argv[1], Path(sys.argv[2])
    target = {"csv": fuzz_csv, "sheet": fuzz_sheet, "part": fuzz_part, "file": fuzz_file}[kind]

    def one(data: bytes) -> None:
        with suppress(RiskcalcError):
            target(data)

    seeds(kind, corpus)
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[3:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
