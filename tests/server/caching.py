"""nginx as a caching proxy, set up as docs/behind-a-cache.md says, in a folder of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving import REPOSITORY, free_port

PAGE = REPOSITORY / "docs" / "behind-a-cache.md"
# nginx as `make test` unpacks it: to install it would start a service on port 80.
UNPACKED = REPOSITORY / ".venv" / "nginx" / "usr" / "sbin" / "nginx"
START_SECONDS = 10.0

AROUND = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {documented}
}}
"""


def program() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None and UNPACKED.is_file():
        found = str(UNPACKED)
    if found is None:
        pytest.skip("needs nginx: make test unpacks it, or apt-get install nginx")
    return found


def configuration(folder: Path, port: int, upstream: str, more: str) -> str:
    block = re.search(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    if block is None:
        raise LookupError("the page shows no nginx configuration")
    documented = block[1]
    for written, here in (
        ("/var/cache/nginx", str(folder)),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("http://127.0.0.1:8000;", f"{upstream}; {more}"),
    ):
        if documented.count(written) != 1:
            raise LookupError(f"the documented configuration no longer has {written!r}")
        documented = documented.replace(written, here)
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""  # else its workers could not write here
    return AROUND.format(folder=folder, user=user, documented=documented)


@contextlib.contextmanager
def caching(upstream: str, folder: Path, *, more: str = "") -> Iterator[str]:
    """Run nginx before `upstream` until the block ends, and yield its URL.

    Args:
        more: directives beside those that the documentation names.
    """
    folder.mkdir(exist_ok=True)  # a cache that is kept through a restart
    port = free_port()
    written = folder / "nginx.conf"
    written.write_text(configuration(folder, port, upstream, more), "utf-8")
    errors = folder / "error.log"
    process = subprocess.Popen([program(), "-e", errors, "-p", folder, "-c", written])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/ready", timeout=2)
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not come up:\n{errors.read_text('utf-8')}")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)
