"""An nginx with deploy/nginx/numeral.conf, in front of replicas that run here."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.harness import ROOT, end, free_port, wait_until

CONFIGURATION = (ROOT / "deploy/nginx/numeral.conf").read_text()
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

# Around the file that is shipped: a process of our own, that writes nowhere else.
AROUND = """
daemon off;
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/numeral.conf;
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, *replicas: str) -> Iterator[str]:
    """With the configuration that is shipped, but for the addresses."""
    port = free_port()
    (folder / "numeral.conf").write_text(with_addresses(port, replicas))
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url))
        yield url
    finally:
        end(process)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return bool(httpx.get(f"{url}/metrics").status_code == 404)
    return False


def with_addresses(port: int, replicas: tuple[str, ...]) -> str:
    """As many replicas as are given, each with the options of those that are shipped."""
    text, listens = re.subn(r"listen \d+;", f"listen 127.0.0.1:{port};", CONFIGURATION)
    servers = "".join(f"    server {url.removeprefix('http://')}\\1\n" for url in replicas)
    text, lists = re.subn(r"(?:    server [\d.:]+(.*;)\n)+", servers, text)
    assert (listens, lists) == (1, 1)
    return text
