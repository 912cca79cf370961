"""Processes that a test starts, waits for, and ends. Nothing else is ever signalled."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request


class Failed(Exception):
    """Something is not as it must be."""


def free_port():
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, seconds, attempt):
    """Calls `attempt` until it returns something true, for at most so long. Its exceptions of the network mean: not yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            answer = attempt()
            if answer:
                return answer
        except (OSError, urllib.error.URLError) as error:
            last = error
        time.sleep(0.1)
    raise Failed(f"not within {seconds} s: {what} ({last})")


def get(url, headers=None, timeout=10):
    """Body and headers of a GET that must be answered with 200."""
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read(), answer.headers


class Server:
    """A server of the test: ended when the block is left. Its standard error is kept, and shown if something fails."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def ready(self, url, seconds=30):
        def attempt():
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.said()}")
            return get(url, timeout=2)

        until(f"{self.name} answers at {url}", seconds, attempt)
        return self

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"{self.name} did not end on SIGTERM:\n{self.said()}") from None


def run(command, **options):
    """Runs a command that must succeed; returns what it printed and said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout, done.stderr


class InBackground:
    """Runs a function beside the block; its failure becomes that of the block."""

    def __init__(self, function, *arguments):
        self.result = None
        self.error = None

        def call():
            try:
                self.result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - told in the thread that waits
                self.error = error

        self.thread = threading.Thread(target=call, daemon=True)
        self.thread.start()

    def running(self):
        return self.thread.is_alive()

    def wait(self, seconds=300):
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise Failed(f"still running after {seconds} s")
        if self.error is not None:
            raise self.error
        return self.result


@contextlib.contextmanager
def step(name):
    """Prints what is being checked and how long it took."""
    start = time.monotonic()
    yield
    print(f"  {name}: {time.monotonic() - start:.1f} s", flush=True)
