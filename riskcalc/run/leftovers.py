"""What earlier runs left under the name that a unit no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from riskcalc.register.audiences import AUDIENCES
from riskcalc.run.manifest import Manifest, files_of, manifest_file
from riskcalc.run.output_folder import Folder, open_folder


@dataclass(frozen=True)
class Leftover:
    """The files of a unit in one period's folder, for one audience; blank is for all that there is."""

    folder: Folder
    period: str
    audience: str
    files: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where the files are."""
        return str(self.folder.within(self.audience) if self.audience else self.folder)


def leftovers(out: str, periods: Iterable[str], source: str, unit_id: str) -> list[Leftover]:
    """What the runs of the register at ``source`` left of a unit in the folders of some periods under ``out``."""
    found = []
    for period in periods:
        folder = open_folder(out, period)
        for audience in ("", *AUDIENCES):
            if files := files_of(folder, manifest_file(audience), source, unit_id):
                found.append(Leftover(folder, period, audience, tuple(files)))
    return found


def take_away(found: Iterable[Leftover], source: str, unit_ids: Sequence[str]) -> list[str]:
    """Remove them, and the organisation's page that leads to them; their manifests expect the units there are now.

    Returns the files that can't be removed: their manifests name them, and the next run tries again.
    """
    left = []
    for each in found:
        pages = each.folder.within(each.audience) if each.audience else each.folder
        with pages.alone(".lock"):
            manifest = Manifest(each.folder, each.period, source, unit_ids, None, each.audience)
            manifest.take_in()
            manifest.begin()
            kept = [name for name in pages.names("index.*") if not pages.remove(name)]
            left += [f"{each.place}/{name}" for name in [*manifest.left, *kept]]
    return left
