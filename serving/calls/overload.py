"""Turns calls away before their message is read: the server is full, or too many come at once."""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

import grpc

from serving.calls.admission import Admission
from serving.calls.call import HEALTH_METHODS, Context
from serving.calls.caller import Caller
from serving.calls.client_name import caller_of, client_name
from serving.errors import NotServingError, QueueFullError

# Streams are no part of it: they stay open, and each of their frames is admitted on its own.
_WITH_PHOTOS: Final = frozenset(
    {"/sfumato.v1.StylizationService/Stylize", "/inference.GRPCInferenceService/ModelInfer"}
)
_SPARE_CALLS: Final = 64  # of all kinds, beside the photos inside and as many on their way

Task = asyncio.Task[Any]


def most_calls(max_queue_size: int) -> int:
    """Gives how many calls of all kinds may be open, for so many photos inside."""
    return 2 * max_queue_size + _SPARE_CALLS


class Overload:
    """Bounds the calls that are open, and among them those whose photo is still on its way.

    A photo is admitted when it is there; until then it takes memory, too. Health is answered
    whatever else there is: an orchestrator that hears nothing ends a server that is only busy.

    Where there is no room, a call whose message has not come gives its place to a caller that
    holds fewer, the oldest of the one that holds most. Otherwise a single connection could take
    all places and send nothing.
    """

    def __init__(self, admission: Admission) -> None:
        """Asks ``admission`` whether there is room."""
        self._admission = admission
        # gRPC does each call in a task of its own, from here to its end.
        self._open: set[Task] = set()
        self._coming: set[Task] = set()
        # Those that wait for a message, in order of arrival, with the token's name.
        self._waiting: dict[Task, tuple[str, Context]] = {}
        self._gave_way: set[Task] = set()

    def check(self, details: grpc.HandlerCallDetails) -> None:
        """Counts a call in until its end.

        Raises:
            NotServingError: the server is closed.
            QueueFullError: there is no room.
        """
        method, task = details.method, asyncio.current_task()
        if method.startswith(HEALTH_METHODS) or task is None:
            return
        self._check_room(method)
        self._enter(method, task)

    def make_room(self, method: str, context: Context) -> bool:
        """Counts in a call that found no room, if another one gives way to it."""
        task = asyncio.current_task()
        caller = caller_of(context)
        while task is not None:
            try:
                self._check_room(method)
            except NotServingError:
                return False
            except QueueFullError:
                if not self._let_give_way(method, caller):
                    return False
            else:
                self._enter(method, task)
                return True
        return False

    def awaits_message(self, context: Context) -> None:
        """Says that the call that is being answered waits for its client."""
        task = asyncio.current_task()
        if task in self._open:
            self._waiting[task] = (client_name.get(), context)

    def message_is_there(self) -> None:
        """Says that nothing is on its way any more in the call that is being answered."""
        task = asyncio.current_task()
        if task is not None:
            self._coming.discard(task)
            self._waiting.pop(task, None)

    def why_it_gave_way(self, task: Task) -> QueueFullError | None:
        """Gives what to tell a call that was cancelled because it gave way; None for others."""
        if task not in self._gave_way:
            return None
        return self._admission.full(
            "the call gave its place to a client that holds fewer, as its message was not there yet"
        )

    def _check_room(self, method: str) -> None:
        limit = self._admission.limit
        if method in _WITH_PHOTOS:
            if not self._admission.has_room:
                raise self._admission.turn_away()
            if len(self._coming) >= limit:
                raise self._admission.full(f"{limit} photos are on their way in, its limit")
        if len(self._open) >= most_calls(limit):
            raise self._admission.full(f"{len(self._open)} calls are open, its limit")

    def _enter(self, method: str, task: Task) -> None:
        self._open.add(task)
        task.add_done_callback(self._forget)
        if method in _WITH_PHOTOS:
            self._coming.add(task)

    def _let_give_way(self, method: str, caller: Caller) -> bool:
        if method in _WITH_PHOTOS and not self._admission.has_room:
            return False  # what is inside has cost work
        of_photos = method in _WITH_PHOTOS and len(self._coming) >= self._admission.limit
        rivals = {
            task: caller_of(context, name)
            for task, (name, context) in self._waiting.items()
            if task in self._coming or not of_photos
        }
        loser = _greediest(rivals.values(), caller)
        if loser is None:
            return False
        task = next(task for task, rival in rivals.items() if rival == loser)
        self._forget(task)
        self._gave_way.add(task)
        task.cancel()
        return True

    def _forget(self, task: Task) -> None:
        self._open.discard(task)
        self._coming.discard(task)
        self._waiting.pop(task, None)
        self._gave_way.discard(task)


def _greediest(holders: Collection[Caller], caller: Caller) -> Caller | None:
    """Gives who holds most places of the client that holds most; None if ``caller`` would."""
    clients = Counter(holder.client for holder in holders)
    if not clients:
        return None
    [(client, most)] = clients.most_common(1)
    fairer = most > clients[caller.client] + 1
    if not fairer:
        client = caller.client
    connections = Counter(holder for holder in holders if holder.client == client)
    if not connections:
        return None
    [(loser, most)] = connections.most_common(1)
    return loser if fairer or most > connections[caller] + 1 else None
