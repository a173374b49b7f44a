"""What type checkers know of decorated functions: checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbbatch import (
    AWSBatchConfig,
    Job,
    batch,
    catch,
    gather,
    parallel,
    progress,
    resources,
    retry,
    timeout,
)
from nbbatch.futures import ArrayJob

if TYPE_CHECKING:
    from typing_extensions import assert_type


@retry
@batch(cpu=4)
@resources(memory=8000)
def fit(depth: int, *, name: str = "") -> float:
    return depth / 2


assert_type(fit(3), float)
assert_type(fit.submit(3, name="a"), Job[float])
mapped = fit.map([1, 2], name="a", chunksize=2)
assert_type(mapped, ArrayJob[float])
assert_type(mapped.result(), list[float])
assert_type(mapped[0], float)
assert_type(mapped[:1], list[float])
for each in mapped:
    assert_type(each, float)
for index, value in mapped.as_completed(return_exceptions=True):
    assert_type((index, value), tuple[int, float])
assert_type(mapped.retry_failed(memory=16000), ArrayJob[float])
assert_type(fit.starmap([(1,), (2,)], chunksize="auto"), ArrayJob[float])
fit.map([1], chunksize="few")  # type: ignore[arg-type]
assert_type(gather(mapped, fit.submit(3), timeout=60), list[Any])
assert_type(fit.submit(3).result(60), float)
assert_type(fit.local(3), float)
assert_type(fit.options(cpu=2)(3), float)
fit("3")  # type: ignore[arg-type]
fit.submit(depth=3, nam="a")  # type: ignore[call-arg]


@batch
@timeout(minutes=2)
async def wait(seconds: float) -> str:
    return "done"


async def main() -> None:
    assert_type(await wait(1), str)
    assert_type(await wait.submit(1), str)


class Model:
    @batch(AWSBatchConfig(schedulingPriority=10))
    @catch(var="problem")
    def train(self, rounds: int) -> list[float]:
        return [0.0] * rounds


assert_type(Model().train(3), list[float])
assert_type(Model().train.submit(3), Job[list[float]])


@parallel(num_nodes=4)
def plain(x: int) -> int:
    return x


assert_type(plain(3), int)
also: Callable[[int], int] = plain
retry(tims=2)  # type: ignore[call-overload]


for number in progress([1, 2], label="fit"):
    assert_type(number, int)
with progress(total=3, unit="B") as bar:
    bar.update(1.5)
