"""Clients that misbehave: the sidecar must go on answering everybody else."""

import contextlib
import resource
import socket

from processes import Failed, get, until

IDLE = 1000
MALFORMED = (
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"\0" * 100_000,
)


def check(address, port):
    def still_serves(after):
        body, _ = get(f"{address}/metrics")
        if b"shmetrics_build_info" not in body:
            raise Failed(f"not as before after {after}")

    for request in MALFORMED:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            with contextlib.suppress(OSError):
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(4096)
                status = answer.split(b" ")[1:2]
                if status and status[0][:1] == b"2":
                    raise Failed(f"{request[:60]!r} was answered with {answer[:60]!r}")
        still_serves(request[:60])

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with contextlib.ExitStack() as clients:
        for number in range(IDLE):
            client = socket.socket()
            clients.enter_context(client)
            client.settimeout(5)
            # Beyond its limit the server may let them wait; that is no fault of the test.
            with contextlib.suppress(OSError):
                client.connect(("127.0.0.1", port))
                # Some say nothing, some begin a request and never end it.
                if number % 2:
                    client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
        until(f"an answer beside {IDLE} idle connections", 60, lambda: get(f"{address}/-/healthy", timeout=5))
        still_serves("idle connections")
    still_serves("they left")
