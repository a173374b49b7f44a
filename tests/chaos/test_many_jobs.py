"""Jobs over an unreliable network: none is lost, none runs twice, no result is wrong."""

from __future__ import annotations

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch
from nbbatch.futures import Job
from tests.chaos.conftest import Account
from tests.chaos.faults import USUAL

pytestmark = pytest.mark.thorough

#: As often as this all credentials are replaced by others.
RENEW = 25


def _function() -> Any:
    # Inside a function, so that it travels by value, without this module.
    @batch
    def work(number: int, diary: str, data: bytes) -> tuple[int, bytes]:
        import os

        # One write of a few bytes, so that no two are mixed.
        file = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{number}\n".encode())
        os.close(file)
        print("number", number)
        return number * number, data[::-1]

    return work


def run(account: Account, diary: Path, count: int, at_once: int) -> None:
    """Run so many jobs, and check what became of each."""
    work, tokens, signing_in = _function(), iter(range(count)), threading.Lock()

    def one(number: int) -> tuple[int, Any]:
        if number and number % RENEW == 0:
            with signing_in:
                turn = next(tokens)
                account.renew(f"token-{turn + 1}", f"token-{turn}" if turn else "first")
        # Now and then large enough to travel apart.
        data = os.urandom(100 + (number % 20 == 0) * (2 << 20))
        job: Job[Any] = work.submit(number, str(diary), data)
        square, turned = job.result(300)
        assert turned == data[::-1]
        return number, (square, job.logs())

    with ThreadPoolExecutor(at_once) as pool:
        found = dict(pool.map(one, range(count)))

    assert found == {n: (n * n, f"number {n}\n") for n in range(count)}
    ran = Counter(map(int, diary.read_text().split()))
    assert ran == Counter(range(count))
    print(account.s3.seen, account.batch.seen)
    # It was not quiet.
    assert sum(account.s3.seen.values()) - account.s3.seen[""] > count / 2


def test_some_jobs(account: Account, tmp_path: Path) -> None:
    """A small number of them, on every day."""
    account.s3.rates = account.batch.rates = USUAL
    run(account, tmp_path / "diary", 12, 6)


@pytest.mark.chaos
def test_a_thousand_jobs(account: Account, tmp_path: Path) -> None:
    """As many as it takes for what is rare to happen."""
    account.s3.rates = account.batch.rates = USUAL
    run(account, tmp_path / "diary", 1000, 24)
