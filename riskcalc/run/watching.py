"""For the author of a register: whenever a file of it is saved, what that touches is run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_KINDS = (".csv", ".toml", ".xlsx", ".ipynb")
_LOOK = 100  # milliseconds between two looks at what has been saved


def saves(data: str, notebooks: str | None = None) -> Iterator[frozenset[str]]:
    """The names of files, first none at once, then whenever some of the register, or of its notebooks, were saved.

    What is saved while the caller is busy comes next. Ends by KeyboardInterrupt; raises ModuleNotFoundError without
    the extra ``watch``.
    """
    from watchfiles import watch

    register = Path(data).absolute()
    folders = {register if register.is_dir() else register.parent}
    if notebooks and Path(notebooks).is_dir():
        folders.add(Path(notebooks).absolute())

    def counts(_: object, path: str) -> bool:
        file = Path(path)
        if file.parent == register.parent and not register.is_dir():
            return file.name == register.name
        return file.suffix in _KINDS and not file.name.startswith((".", "~$"))

    begun = False
    for changes in watch(*folders, watch_filter=counts, recursive=False, rust_timeout=_LOOK, yield_on_timeout=True):
        if changes or not begun:
            begun = True
            yield frozenset(Path(path).name for _, path in changes)
