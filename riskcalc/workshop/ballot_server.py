"""The ballots' own server: Voila over ballot.ipynb, in a process of its own, with a token of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_runtime_dir

from riskcalc import notebook_files
from riskcalc.errors import UsageError, needed
from riskcalc.files import sha256

LOOPBACK = "127.0.0.1"
_IDLE = 600  # seconds after which the kernel of a closed page, some 70 MB, is ended: a telephone may sleep meanwhile
_ALONE = "Only this machine can open it; --listen 0.0.0.0 lets the network in."
_OPEN = "Who has the address and is on this network can vote. Not encrypted: use a trusted network, or a proxy."


@contextmanager
def serving(
    votes: str, business_unit: str = "", listen: str = LOOPBACK, port: int = 0, folder: str | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve ballots while the context lasts; gives the address to share and the server's process.

    ``votes`` is the database's address; ``listen`` the network address to listen at, this machine alone by default;
    ``port`` a free one by default. Token and address reach the server by a private file and its environment, so
    that no list of processes shows them.

    Raises UsageError where the port is taken, or Voila isn't installed.
    """
    for module in ("voila", "anywidget"):
        if not find_spec(module):
            raise UsageError(needed(module))
    source = notebook_files.find("ballot.ipynb", folder)
    number = _free_port(listen, port)
    token = secrets.token_urlsafe(18)
    with tempfile.TemporaryDirectory(prefix="riskcalc-ballots-") as private:
        shutil.copyfile(source, Path(private, "ballot.ipynb"))
        Path(private, "voila.json").write_text(json.dumps(_settings(token, listen, number)), "utf-8")
        server = subprocess.Popen(
            [sys.executable, "-m", "riskcalc.workshop.ballot_process"],
            cwd=private,
            env={**os.environ, "JUPYTER_CONFIG_PATH": private, "RISKCALC_VOTES": votes, "RISKCALC_UNIT": business_unit},
            stdin=subprocess.PIPE,  # closed by our end, whatever ends us: the server reads it, and ends too
            start_new_session=True,
        )
        try:
            _wait(server, listen, number)
            host = _own_address() if listen == "0.0.0.0" else listen  # noqa: S104 - compared, not bound
            address = f"http://{host}:{number}/?token={token}"
            with _noticed(votes, address):
                yield address, server
        finally:
            if server.stdin:
                server.stdin.close()
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def served(votes: str) -> str:
    """The address of the ballots that this user's ``serving`` serves for the votes at ``votes``; blank: none is.

    >>> served("sqlite:////nowhere")
    ''
    """
    try:
        address = _notice(votes).read_text("utf-8")
        place = urlsplit(address)
        socket.create_connection((place.hostname or "", place.port or 0), 1).close()
    except (OSError, ValueError, OverflowError):  # none, or left by a server that was killed
        return ""
    return address


@contextmanager
def _noticed(votes: str, address: str) -> Iterator[None]:
    """Note the address where the facilitator's panel finds it, and nobody but this user can read it."""
    note = _notice(votes)
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    note.unlink(missing_ok=True)
    with open(note, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(address)
    try:
        yield
    finally:
        if note.exists() and note.read_text("utf-8") == address:  # not another server's, begun meanwhile
            note.unlink()


def _notice(votes: str) -> Path:
    return Path(jupyter_runtime_dir(), f"riskcalc-ballots-{sha256(votes.encode())[:16]}")


def _settings(token: str, listen: str, port: int) -> dict[str, object]:
    return {
        "Voila": {
            "token": token,
            "ip": listen,
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "log_level": "WARN",  # below it Voila tells addresses of its own, without the token: to a password page
        },
        "VoilaConfiguration": {"show_tracebacks": False, "strip_sources": True, "theme": "light"},
        "MappingKernelManager": {"cull_idle_timeout": _IDLE, "cull_interval": max(1, _IDLE // 10)},
    }


def _free_port(listen: str, port: int) -> int:
    try:
        with socket.socket() as probe:
            probe.bind((listen, port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        raise UsageError(f"Can't listen at {listen}:{port}: {error}.") from None


def _wait(server: subprocess.Popen[bytes], listen: str, port: int) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise UsageError("The ballots' server didn't start; what it wrote above may say why.")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((LOOPBACK if listen == "0.0.0.0" else listen, port)) == 0:  # noqa: S104 - compared
                return
        time.sleep(0.1)
    raise UsageError("The ballots' server didn't answer within a minute.")


def _own_address() -> str:
    """The machine's own address, which others can type, where the server listens everywhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only chooses the interface that leads out
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


Say = Callable[[str], None]


def serve(votes: str, say: Say, business_unit: str, listen: str, port: int, folder: str | None) -> None:
    """Serve ballots until interrupted, hung up on or terminated; ``say`` is told the address to share."""
    for name in ("SIGTERM", "SIGHUP"):  # by default these end a program on the spot, without its clean-up
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    with serving(votes, business_unit, listen, port, folder) as (address, server):
        say(f"Share this address with the participants:\n\n    {address}\n")
        say(_ALONE if listen == LOOPBACK else _OPEN)
        say("Ctrl-C ends it; votes are kept.")
        server.wait()
