"""A process that has imported what notebooks import, and forks for each of them: a run waits for imports once.

`brew repro` starts this file as a script and ends it with the run. It imports libraries alone, and no module of brew:
every fork reads the tree's code as it is then, as a new Python would. A fork differs from a new Python in nothing else
that changes a result, because it is used only if both have the same settings (`settings`).

Left out: systems other than Linux, and processes of more than one thread, which fork badly. There, notebooks start a
new Python each.
"""

import atexit
import contextlib
import ctypes
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

#: Where the run's server listens, and the settings that it was started with.
SERVER, SETTINGS = "BREW_FORK_SERVER", "BREW_FORK_SETTINGS"
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_LENGTH = struct.Struct("!q")
_STANDARD = (0, 1, 2)


class Fork:
    """A program that a server runs for this process. It ends, with the processes of its group, if this process does."""

    def __init__(self, connection: socket.socket, process: int):
        self.connection, self.process = connection, process

    def wait(self) -> int:
        """The program's exit status; minus the signal that ended it; 1 if the server ended before."""
        status = _number(self.connection)
        return 1 if status is None else os.waitstatus_to_exitcode(status)

    def follow(self) -> int:
        """`wait`, and pass interrupts on; an exit status that a shell understands."""
        while True:
            try:
                status = self.wait()
                return status if status >= 0 else 128 - status
            except KeyboardInterrupt:
                self.tell(signal.SIGINT)

    def tell(self, signum: int, group: bool = False) -> None:
        """Send a signal to the program, or to its whole group."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.process, signum)


def fork(module: str, arguments: Sequence[str], settings: str | None = None) -> Fork | None:
    """``python -m module arguments``, forked by the run's server, with this process' variables, folder and files.

    settings: those that the server must have; None if the program computes nothing.
    Returns None if there is no server, it has other settings, or this process is its fork: the caller then does what it
    does without a server.
    """
    if SERVER not in os.environ or (settings is not None and os.environ.get(SETTINGS) != settings):
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.environ[SERVER])
        if _peer(connection) == os.getppid():  # this process is a fork itself, and has imported all
            connection.close()
            return None
        request = {"module": module, "arguments": list(arguments), "folder": os.getcwd(), "variables": dict(os.environ)}
        text = json.dumps(request).encode()
        socket.send_fds(connection, [_LENGTH.pack(len(text))], list(_STANDARD))
        connection.sendall(text)
        process = _number(connection)
    except OSError:
        process = None
    if process is None:
        connection.close()
        return None
    return Fork(connection, process)


def _peer(connection: socket.socket) -> int:
    """The process at the other end."""
    return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]


def _number(connection: socket.socket) -> int | None:
    data = _exactly(connection, _LENGTH.size)
    return None if data is None else _LENGTH.unpack(data)[0]


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    """So many bytes; None if the connection ends before."""
    data = bytearray()
    while len(data) < count:
        try:
            piece = connection.recv(count - len(data))
        except ConnectionError:
            return None
        if not piece:
            return None
        data += piece
    return bytes(data)


class _Server:
    """Forks on request, tells each client how its program ended, and ends programs whose client has gone."""

    def __init__(self, address: str, libraries: Sequence[str]):
        self.libraries = list(libraries)
        self.clients: dict[int, socket.socket] = {}  # of each running program
        self.waiting = selectors.DefaultSelector()
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(address)
        self.listening.listen()
        self.ended, wakeup = socket.socketpair()
        for each in (self.ended, wakeup):
            each.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)  # of the terminal, and meant for the run
        self.wakeup = wakeup
        for each in (self.listening, self.ended):
            self.waiting.register(each, selectors.EVENT_READ)

    def serve(self) -> Mapping[str, Any]:
        """Serve for ever; in a fork, return what the fork has to run."""
        while True:
            for key, _ in self.waiting.select():
                if key.fileobj is self.ended:
                    self._drain()
                elif key.fileobj is self.listening:
                    if request := self._accept():
                        return request
                else:
                    self._end(key.data)
            self._report()

    def _accept(self) -> Mapping[str, Any] | None:
        client, _ = self.listening.accept()
        head, files, *_ = socket.recv_fds(client, _LENGTH.size, len(_STANDARD))
        text = _exactly(client, _LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None
        if text is None:  # the client has gone, or is a fork
            client.close()
            return None
        if self.libraries:
            self._import()
        return self._fork(client, json.loads(text), files)

    def _import(self) -> None:
        """Import on the first request: a run with nothing to do pays nothing."""
        while self.libraries:
            with contextlib.suppress(ImportError):
                import_module(self.libraries.pop(0))
        gc.collect()
        gc.freeze()  # forks share the pages of what is never collected

    def _fork(self, client: socket.socket, request: dict[str, Any], files: Sequence[int]) -> Mapping[str, Any] | None:
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("a library has started a thread; expected none before a fork")
        try:
            process = os.fork()
        except OSError:  # no memory or no process: the client then starts a new Python, and says so if that fails too
            process = None
        if process == 0:
            self._become_program(client, files)
            return request
        for file in files:
            os.close(file)
        if process is None:
            client.close()
            return None
        self.clients[process] = client
        self.waiting.register(client, selectors.EVENT_READ, process)
        with contextlib.suppress(OSError):  # a client that has gone is seen by its end of file
            client.sendall(_LENGTH.pack(process))
        return None

    def _become_program(self, client: socket.socket, files: Sequence[int]) -> None:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for file, standard in zip(files, _STANDARD, strict=True):
            os.dup2(file, standard)
            os.close(file)
        self.waiting.close()
        for each in (client, self.listening, self.ended, self.wakeup, *self.clients.values()):
            each.close()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.ended.recv(4096):
                pass

    def _end(self, process: int) -> None:
        """The client has gone: end its program, and whatever that has started."""
        client = self.clients.get(process)
        if client is not None:
            self.waiting.unregister(client)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)  # also if it leads no group yet
            _tell_group(process, signal.SIGKILL)

    def _report(self) -> None:
        while self.clients:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            _tell_group(process, signal.SIGTERM)  # workers of a program that was killed
            client = self.clients.pop(process)
            with contextlib.suppress(KeyError):
                self.waiting.unregister(client)
            with contextlib.suppress(OSError):
                client.sendall(_LENGTH.pack(status))
            client.close()


def _tell_group(process: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signum)


def _run(request: Mapping[str, Any]) -> None:
    """What a new Python does with ``-m module``."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, request["module"].encode()[:15], 0, 0, 0)  # what `top` shows
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    if "JPY_PARENT_PID" in os.environ:  # a kernel ends if this is not its parent
        os.environ["JPY_PARENT_PID"] = str(os.getppid())
    if "torch" in sys.modules:  # its pool of threads is left behind, and replaced here while there is one thread
        torch = sys.modules["torch"]
        torch.set_num_threads(torch.get_num_threads())
    sys.path.insert(0, os.getcwd())
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _end(status: object) -> NoReturn:
    """End as the interpreter does, but for tearing down libraries, which takes seconds and frees what ends anyway."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    del sys.path[0]  # this file's folder
    asked = _Server(sys.argv[1], sys.argv[2:]).serve()
    try:
        _run(asked)
    except SystemExit as ended:
        _end(ended.code)
    except BaseException:
        traceback.print_exc()
        _end(1)
    _end(0)
