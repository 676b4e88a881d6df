"""The ballots' server's own process: Voila, which ends with whoever started it, and writes its token into no log.

The token is in voila.json, in the folder that the process is started in (see ``ballot_server``).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any


def _keep_out_of_logs(token: str) -> None:
    """Tornado logs the address of whatever goes wrong, and the address holds the token."""
    plain = logging.getLogRecordFactory()

    def scrubbed(*given: Any, **more: Any) -> logging.LogRecord:
        record = plain(*given, **more)
        record.msg, record.args = record.getMessage().replace(token, "[token]"), ()
        return record

    logging.setLogRecordFactory(scrubbed)


def _end_with_starter() -> None:
    """Wait until the other end of the pipe is gone, however it went, and stop as if asked to."""
    while os.read(0, 1):  # not through sys.stdin, whose lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    from voila.app import Voila  # type: ignore[import-untyped]

    _keep_out_of_logs(json.loads(Path("voila.json").read_text("utf-8"))["Voila"]["token"])
    threading.Thread(target=_end_with_starter, daemon=True).start()
    Voila.launch_instance(["ballot.ipynb", "--no-browser", "--template=lab"])
