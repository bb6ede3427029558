"""A Dask cluster, of this machine's processes or at an address, and work on many items by it.

A few items per thread are under way at a time, so that neither the scheduler nor memory holds more. An item on which
worker after worker dies is told from those that were merely given to the same worker.

Left out: starting a cluster of several machines (Dask's own tools do).
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster, wait
from distributed.comm.core import CommClosedError

from brew.errors import BrewError

#: Tasks under way for each thread of the cluster: one runs, one waits, so that no worker does.
PER_THREAD = 2
#: Dask's pages about itself, at any free port and seen by nobody else.
LOCAL = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
#: Seconds until a cluster has to answer, and to have a worker.
PATIENCE = 60

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def check_choice(workers: int | None, cluster: str | None) -> None:
    """BrewError if the number of workers or the cluster's address is none: to know before a cluster is started."""
    if workers is not None and workers < 1:
        raise BrewError(f"{workers} workers; expected 1 at least, or none named for one per core. Change `workers`")
    if cluster is not None and not cluster.strip():
        raise BrewError(
            "the cluster's address is empty; expected one such as tcp://host:8786. Name it, or leave it out"
        )


@contextlib.contextmanager
def connected(workers: int | None, cluster: str | None) -> Iterator[Client]:
    """A client of the cluster at that address, or of one of this machine's own that lasts as long."""
    if cluster is None:
        # A thread each, so that a crash costs one scene.
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, **LOCAL) as local,
            _client(local.scheduler_address) as client,
        ):
            yield client
            # Dask cannot close a worker that died and is just starting again.
            client.wait_for_workers(len(local.workers), timeout=PATIENCE)
    else:
        with _client(cluster) as client:
            yield client


@contextlib.contextmanager
def _client(address: str) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(Client(address, timeout=PATIENCE))
            client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise BrewError(
                f"{address}: no cluster with a worker answered in {PATIENCE} s ({error}); expected a scheduler's "
                "address such as tcp://host:8786. Start `dask scheduler` and `dask worker`, or leave the address out"
            ) from error
        try:
            yield client
        except (CancelledError, CommClosedError) as error:
            raise BrewError(
                f"{address}: the scheduler was lost ({error}); expected it until the end. Start it again and run "
                "again: what was read is kept"
            ) from error


def check_shared(client: Client, folders: Sequence[Path]) -> None:
    """BrewError naming the first worker that does not see one of the folders."""
    for folder in folders:
        blind = sorted(worker for worker, seen in client.run(os.path.isdir, str(folder)).items() if not seen)
        if blind:
            raise BrewError(
                f"{folder} does not exist for worker {blind[0]} and {len(blind) - 1} others; expected a folder that "
                "all machines share. Check the path, or mount it there"
            )


def in_window(
    client: Client, work: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[tuple[_Item, _Result | KilledWorker]]:
    """`work` of every item on the cluster, in the order in which they end; a few per thread are under way at a time.

    An item on which worker after worker dies (out of memory, a crash while decoding) comes back as Dask's error that
    says so; another exception of `work` is raised here. The window grows with the cluster.
    """
    waiting = iter(items)
    under_way: dict[Future, _Item] = {}
    suspects: list[_Item] = []
    while True:
        room = PER_THREAD * max(1, _threads(client)) - len(under_way)
        under_way |= {client.submit(work, item, pure=False): item for item in islice(waiting, max(0, room))}
        if not under_way:
            break
        for future in _ended(client, under_way):
            item, result = under_way.pop(future), _result(client, future)
            if isinstance(result, KilledWorker):
                suspects.append(item)
            else:
                yield item, result
    # Dask blames all that a dying worker had been given. Each is tried alone: one that kills again is at fault.
    for item in suspects:
        yield item, _result(client, client.submit(work, item, pure=False))


def _threads(client: Client) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError as error:  # after a while of asking again; elsewhere Dask says so itself
        raise CommClosedError(str(error)) from error


def _ended(client: Client, futures: Iterable[Future]) -> set[Future]:
    """Those of the futures that have ended, one at least."""
    while True:
        try:
            return wait(list(futures), timeout=PATIENCE, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            _check_alive(client)


def _result(client: Client, future: Future) -> Any:
    while True:
        try:
            return future.result(timeout=PATIENCE)
        except KilledWorker as error:
            return error
        except TimeoutError:
            if future.status == "error":  # the work's own
                raise
            _check_alive(client)  # else what had ended was lost with its worker, and Dask does it again


def _check_alive(client: Client) -> None:
    """BrewError where the cluster has no worker any more: Dask would wait for one, however long."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except OSError as error:
        raise BrewError(
            f"the cluster has had no worker for {PATIENCE} s; expected at least one. Look at the workers' logs and "
            "run again: what was read is kept"
        ) from error
