"""Where a run's files go: a folder of this machine or a share, or a place elsewhere that fsspec knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from filelock import FileLock, Timeout

from riskcalc.errors import UsageError
from riskcalc.files import PART, write_whole


class Folder(Protocol):
    """Files by name, each whole or not there at all."""

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is no such file."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file; raises OSError, with the former content untouched, if that can't be done."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a file, if it is there; False if that can't be done."""
        ...

    def names(self, pattern: str) -> list[str]:
        """The files whose name fits a pattern such as ``*.json``."""
        ...

    def alone(self, lock: str) -> Any:
        """A context in which no other run holds ``lock``; raises UsageError if one does, or nothing can be written."""
        ...

    def as_file(self, name: str) -> Any:
        """A context that gives the path of a file on this machine with the content of ``name``."""
        ...

    def within(self, name: str) -> Folder:
        """The folder ``name`` inside this one."""
        ...


def open_folder(out: str, period: str) -> Folder:
    """The folder of a period under ``out``, a path or an address such as ``s3://bucket/reports``.

    Raises UsageError for an address that fsspec, or the library it needs, can't open.
    """
    if "://" in out:
        return RemoteFolder(f"{out.rstrip('/')}/{period}")
    return LocalFolder(Path(out) / period)


class LocalFolder:
    """A folder in the file system."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes | None:
        """As ``Folder``."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """As ``Folder``."""
        write_whole(self.path / name, content)

    def remove(self, name: str) -> bool:
        """As ``Folder``."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def names(self, pattern: str) -> list[str]:
        """As ``Folder``."""
        return sorted(path.name for path in self.path.glob(pattern))

    @contextmanager
    def alone(self, lock: str) -> Iterator[None]:
        """As ``Folder``, a run of all against its shards, too; what a killed run left half written is cleared away."""
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self.path / lock).acquire(timeout=0))
                for other in self.path.glob(".lock-*") if lock == ".lock" else [self.path / ".lock"]:
                    with FileLock(other).acquire(timeout=1):  # another shard may look at this very moment
                        pass
            except Timeout:
                raise UsageError(f"Another run is writing to {self}; wait for it, or choose another --out.") from None
            except OSError as error:
                raise UsageError(f"{self} can't be written to: {error.strerror}.") from None
            if lock == ".lock":
                for left in self.path.glob(f"{PART}*"):
                    self.remove(left.name)
            yield

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """As ``Folder``: the file itself."""
        yield self.path / name

    def within(self, name: str) -> LocalFolder:
        """As ``Folder``."""
        return LocalFolder(self.path / name)


class RemoteFolder:
    """A prefix in an object store, or whatever else fsspec opens; without a lock: nobody notices two runs at once."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            told = _without_secrets(f"{url} can't be opened: {error}", url)
            raise UsageError(f"{told}; 'riskcalc-workbook[dask]' brings fsspec.") from None
        self._url = url

    def __str__(self) -> str:
        return _without_secrets(self._url, self._url)

    def read(self, name: str) -> bytes | None:
        """As ``Folder``."""
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - each store has its own
            raise OSError(_without_secrets(f"{self}/{name}: {error}", self._url)) from None

    def write(self, name: str, content: bytes) -> None:
        """As ``Folder``: object stores show an object when it is whole."""
        try:
            self._files.pipe_file(f"{self._root}/{name}", content)
        except Exception as error:  # noqa: BLE001 - each store has its own
            raise OSError(_without_secrets(str(error), self._url)) from None

    def remove(self, name: str) -> bool:
        """As ``Folder``."""
        try:
            self._files.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return True
        except Exception:  # noqa: BLE001 - each store has its own
            return False
        return True

    def names(self, pattern: str) -> list[str]:
        """As ``Folder``."""
        try:
            found = [str(path).rpartition("/")[2] for path in self._files.ls(self._root, detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if fnmatch(name, pattern))

    @contextmanager
    def alone(self, lock: str) -> Iterator[None]:  # noqa: ARG002 - see the class
        """As ``Folder``, but for the lock."""
        try:
            self._files.invalidate_cache()
            self._files.makedirs(self._root, exist_ok=True)
        except Exception as error:  # noqa: BLE001 - each store has its own
            raise UsageError(_without_secrets(f"{self} can't be written to: {error}", self._url)) from None
        yield

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """As ``Folder``: a copy."""
        with TemporaryDirectory(prefix="riskcalc-") as folder:
            path = Path(folder, name)
            path.write_bytes(self.read(name) or b"")
            yield path

    def within(self, name: str) -> RemoteFolder:
        """As ``Folder``."""
        return RemoteFolder(f"{self._url}/{name}")


def _without_secrets(text: str, url: str) -> str:
    """A message about an address without the user, password and query that this has: messages go into logs and mails.

    >>> _without_secrets("s3://key:secret@risk can't be opened", "s3://key:secret@risk")
    "s3://***@risk can't be opened"
    """
    host, _, path = url.partition("://")[2].partition("/")
    account, query = host.rpartition("@")[0], f"{host}/{path}".partition("?")[2].partition("/")[0]
    for secret in filter(None, (account, account.partition(":")[2], query)):
        text = text.replace(secret, "***")
    return text
