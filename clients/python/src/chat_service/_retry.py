"""When to try again. Nothing here waits: it says how long to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from ._call import Call
from ._errors import FOREIGN_TYPE, ApiError, ConnectionError

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
_LONGEST_PLAIN_WAIT = 10.0
"""A refusal that names a later time is told to whoever waits for a plain answer."""

_LASTING = frozenset({"queue_full", "budget_exceeded", "voice_unavailable"})
"""Refused until somebody does something about it."""


@dataclass(frozen=True)
class Pause:
    """How long to wait before the next attempt, in seconds."""

    delay: float
    is_fixed: bool
    """The service has named the time: sooner would be in vain."""


OnRetry = Callable[[Exception, Pause], object]
"""Told before each further attempt."""


def pause_before(error: Exception, attempt: int, chance: float | None = None) -> Pause | None:
    """How long to wait before attempt `attempt + 1` (0: the first has failed); None where another one would not help."""
    if isinstance(error, ApiError):
        if not _is_passing(error):
            return None
        named = error.retry_after_seconds or 0.0
    elif isinstance(error, ConnectionError):
        named = 0.0
    else:
        return None
    # Apart from each other: many clients lose their connections at the same moment.
    spread = 0.75 + (random.random() if chance is None else chance) / 2
    own = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(attempt, 10)) * spread
    return Pause(max(named, own), named > own)


def _is_passing(error: ApiError) -> bool:
    # 502 and 504 of the service itself are about what an agent did; of a proxy they are about the way there.
    if error.type == FOREIGN_TYPE:
        return error.status in (429, 502, 503, 504)
    return error.status in (429, 503) and error.type not in _LASTING


class Patience:
    """How long one goes on trying without progress; a named time beyond it is not waited for."""

    def __init__(self, seconds: float, on_retry: OnRetry | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._on_retry = on_retry
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Something has come."""
        self._attempt = 0
        self._since = self._clock()

    def bear(self, error: Exception) -> Pause:
        """What to wait; raises the error where that would be in vain or too late."""
        pause = pause_before(error, self._attempt)
        if pause is None or self._clock() - self._since + pause.delay > self._seconds:
            raise error
        self._attempt += 1
        if self._on_retry is not None:
            self._on_retry(error, pause)
        return pause


class Repeats:
    """The attempts of a plain call."""

    def __init__(self, call: Call[object], max_retries: int, on_retry: OnRetry | None) -> None:
        self._call = call
        self._max_retries = max_retries
        self._on_retry = on_retry
        self._tries = 0
        self._was_lost = False

    def bear(self, error: Exception) -> Pause | None:
        """What to wait; None: it has been done already. Raises the error where another attempt is not safe or no help."""
        # It was there when it was asked for first, and whether it was that time that it went nobody can say.
        is_gone = isinstance(error, ApiError) and error.status == 404
        if self._was_lost and is_gone and self._call.method == "DELETE":
            return None
        pause = pause_before(error, self._tries) if self._tries < self._max_retries else None
        if pause is None or pause.delay > _LONGEST_PLAIN_WAIT:
            raise error
        if not self._call.is_safe and not isinstance(error, ApiError):
            raise error
        self._was_lost = self._was_lost or isinstance(error, ConnectionError)
        self._tries += 1
        if self._on_retry is not None:
            self._on_retry(error, pause)
        return pause
