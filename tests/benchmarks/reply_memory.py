"""What ten results of 4 MiB cost in memory while they are received, by three clients.

Each runs in a process of its own and asks a server in another one, first for a small reply, which loads all there is
to load. Then the kernel's highest figure of memory in use is set back, the large reply is asked for, and the figure is
read again. Linux only.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table

RESULTS, SIZE = 10, 4 * 2**20
GOAL = 1.5

SETUP = """
import base64, gc, io, sys
from pathlib import Path
from PIL import Image
url = sys.argv[1]
file = io.BytesIO()
Image.new("RGB", (64, 64)).save(file, "PNG")
def used(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
"""
MEASURE = """
small = ask(1)
del small
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = used("VmRSS")
pictures = ask(RESULTS)
assert [len(data) for data in pictures] == RESULTS * [SIZE]
print(used("VmHWM") - before)
"""
CONTENDERS = {
    "ttapi_nb": """
import ttapi_nb as tt
client = tt.Client("sk-none", base_url=url)
def ask(n):
    return [item.data for item in client.images.edit(image=file.getvalue(), prompt="x", n=n).data]
""",
    "httpx, .json() and base64": """
import httpx
client = httpx.Client(timeout=60)
def ask(n):
    reply = client.post(f"{url}/images/edits", files={"image": file.getvalue()}, data={"n": n, "prompt": "x"}).json()
    return [base64.b64decode(item["b64_json"]) for item in reply["data"]]
""",
    "the openai package": """
import openai
client = openai.OpenAI(api_key="sk-none", base_url=url, max_retries=0)
def ask(n):
    reply = client.images.edit(image=("a.png", file.getvalue(), "image/png"), prompt="x", n=n, model="gpt-image-1")
    return [base64.b64decode(item.b64_json) for item in reply.data]
""",
}


class Handler(BaseHTTPRequestHandler):
    """Answers with one small result, or with all the large ones."""

    protocol_version = "HTTP/1.1"
    bodies: tuple[bytes, bytes]

    def do_POST(self) -> None:
        """Answer by the number of results that the body asks for."""
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        many = b'"n": 10' in asked or b'"n":10' in asked or b'name="n"\r\n\r\n10' in asked
        body = self.bodies[many]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def serve(pipe: Any) -> None:
    """Serve until the process is ended; tells its port."""

    def body(count: int, size: int) -> bytes:
        encoded = base64.b64encode(os.urandom(size))
        items = b",".join(b'{"b64_json":"' + encoded + b'"}' for _ in range(count))
        return b'{"created":1774500000,"data":[' + items + b'],"usage":{"total_tokens":3}}'

    Handler.bodies = body(1, 1000), body(RESULTS, SIZE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(server.server_port)
    server.serve_forever()


def main() -> int:
    """Print the table; ends with 1 where ours takes more than the goal."""
    if sys.platform != "linux":
        print("Only Linux says how much memory a process has taken at most since a moment. Run it there.")
        return 0
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    environment = {name: value for name, value in os.environ.items() if name != "TTAPI_OFFLINE"}
    constants = f"RESULTS, SIZE = {RESULTS}, {SIZE}\n"
    decoded = RESULTS * SIZE
    print(
        f"Peak memory above baseline for {RESULTS} results of {SIZE / 2**20:g} MiB, {decoded / 1e6:.0f} MB decoded\n"
    )
    print(f"{'':28}{'MB':>8}{'times the decoded bytes':>26}")
    ratios = {}
    for name, code in CONTENDERS.items():
        command = [sys.executable, "-c", constants + SETUP + code + MEASURE, url]
        peak = int(
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        )
        ratios[name] = peak / decoded
        print(f"{name:28}{peak / 1e6:8.0f}{ratios[name]:26.2f}")
    server.terminate()
    table = Table("Memory of a reply")
    note = ", ".join(f"{name}: {ratio:.2f}" for name, ratio in ratios.items() if name != "ttapi_nb")
    table.count(f"{RESULTS} results of 4 MiB: times their bytes", ratios["ttapi_nb"], GOAL, note=note)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
