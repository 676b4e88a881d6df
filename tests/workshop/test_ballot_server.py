"""The ballots' server: it ends with its command however that ends, keeps its token to itself, and lets kernels go."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from waiting import listens, wait_for

from riskcalc.errors import UsageError
from riskcalc.workshop import ballot_server
from riskcalc.workshop.store import Store, beside

pytest.importorskip("voila")


def kernels_of(process: psutil.Process) -> list[psutil.Process]:
    """The kernels below a process; one that ends while it is looked at is none."""

    def is_kernel(each: psutil.Process) -> bool:
        try:
            return "ipykernel_launcher" in " ".join(each.cmdline())
        except psutil.NoSuchProcess:  # a zombie is one, too
            return False

    return [each for each in process.children(recursive=True) if is_kernel(each)]


@pytest.mark.parametrize("by", ["SIGHUP", "SIGKILL"])
def test_the_server_and_its_kernels_end_with_their_command(
    small: Path, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the terminal, a service manager's stop or a kill leaves nobody with a valid token; no log holds it.

    The facilitator's panel finds the address as long as the server is there.
    """
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    command = [sys.executable, "-m", "riskcalc", "workshop", "ballots", str(small)]
    with (tmp_path / "log").open("wb") as log:
        riskcalc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert riskcalc.stdout is not None
        address = next(line.strip() for line in riskcalc.stdout if "http://" in line)
        assert ballot_server.served(beside(small)) == address
        rest = list(iter(riskcalc.stdout.readline, "Ctrl-C ends it; votes are kept.\n"))
        assert not [line for line in rest if "http" in line], "one address"
        riskcalc.stdout.close()
        port, token = int(address.split(":")[2].partition("/")[0]), address.partition("token=")[2]
        urllib.request.urlopen(address, timeout=60).read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.replace("/?", "/voila/files/nothing?"), timeout=60)
        [server] = psutil.Process(riskcalc.pid).children()
        private, below = server.cwd(), kernels_of(server)
        assert len(below) == 1
        riskcalc.send_signal(getattr(signal, by))
        riskcalc.wait(30)
        wait_for(lambda: not listens(port) and not any(each.is_running() for each in (server, *below)))
    finally:
        riskcalc.kill()
        riskcalc.wait()
    assert Path(private).exists() == (by == "SIGKILL"), "nobody is left to clear up after a kill; the token is void"
    shutil.rmtree(private, ignore_errors=True)
    assert "GET /voila/files/nothing?token=[token]" in (tmp_path / "log").read_text("utf-8")
    assert token not in (tmp_path / "log").read_text("utf-8")
    assert "http://" not in (tmp_path / "log").read_text("utf-8"), "an address without a token asks for a password"
    assert ballot_server.served(beside(small)) == ""
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def test_the_kernel_of_a_closed_page_is_ended(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds some 70 MB, and pages are opened again and again."""
    monkeypatch.setattr(ballot_server, "_IDLE", 10)  # long enough for a page to be made
    Store(beside(small)).close()
    with ballot_server.serving(beside(small)) as (address, server):
        urllib.request.urlopen(address, timeout=60).read()
        process = psutil.Process(server.pid)
        assert len(kernels_of(process)) == 1
        wait_for(lambda: not kernels_of(process), 120)


@pytest.mark.parametrize("port", [70_000, -1])
def test_a_port_that_cannot_be_is_a_message(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, and nothing is left behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(UsageError, match=f"Can't listen at 127.0.0.1:{port}"), ballot_server.serving("", port=port):
        pass
    assert not list(tmp_path.iterdir())
