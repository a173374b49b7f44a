"""`@batch` and the decorators above and below it: what they ask for together."""

from __future__ import annotations

import functools
import inspect
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import nbbatch
from nbbatch import (
    AWSBatchConfig,
    batch,
    catch,
    environment,
    parallel,
    resources,
    retry,
    secrets,
    timeout,
)
from nbbatch.decorators import BatchFunction
from nbbatch.errors import OptionError, UsageError

ALL: list[Callable[[Any], Any]] = [
    batch(cpu=2, memory=2000, environment={"A": "1"}),
    resources(cpu=1, gpu=1),
    retry(times=2),
    timeout(seconds=30, minutes=1.5, hours=1),
    catch(var="problem"),
    environment(vars={"B": "2"}),
    secrets(sources=["my-secret"]),
    parallel(num_nodes=2),
]
TOGETHER = {
    "cpu": 2,
    "memory": 4096,
    "environment": {"A": "1", "B": "2"},
    "gpu": 1,
    "retries": 2,
    "minutes_between_retries": 2.0,
    "timeout": 3720,
    "catch": "problem",
    "print_exception": True,
    "secrets": (("", "my-secret"),),
    "nodes": 2,
}


def work(x: int = 1) -> int:
    """Do some work."""
    return x


def fresh() -> Callable[..., Any]:
    """Return a function that no other test has decorated."""

    def work(x: int) -> int:
        """Do some work."""
        return x

    return work


def asked(function: Any) -> dict[str, Any]:
    """Return the options of a decorated function."""
    assert isinstance(function, BatchFunction)
    return function._options


def stacked(decorators: Any) -> Any:
    """Apply decorators, the first one innermost."""
    return functools.reduce(lambda function, decorate: decorate(function), decorators, fresh())


@pytest.mark.parametrize("position", range(len(ALL)))
def test_the_order_does_not_matter(position: int) -> None:
    """Whatever stands above `@batch` or below it, the job asks for the same."""
    others = [*ALL[1:]]
    for turn in (others, others[::-1], others[3:] + others[:3]):
        function = stacked([*turn[:position], ALL[0], *turn[position:]])
        assert asked(function) == TOGETHER
        assert function.__name__ == "work"
        assert function.local(3) == 3


def test_every_order_of_three() -> None:
    """All permutations of `@batch` with two others agree."""
    for three in itertools.permutations([batch(retries=None), retry, resources(memory="8G")]):
        found = asked(stacked(three))
        assert found == {"retries": 3, "minutes_between_retries": 2.0, "memory": 8192}


@pytest.mark.parametrize(
    ("given", "said", "wanted"),
    [
        ({"memory": 2000}, {}, {"memory": 4096}),
        ({"memory": 8000}, {}, {"memory": 8000}),
        ({"memory": "2G"}, {"memory": 3000}, {"memory": 3000}),
        ({"cpu": 0.5}, {}, {"cpu": 1.0}),
        ({"cpu": "4"}, {"cpu": "3"}, {"cpu": "4"}),
        ({}, {}, {}),
        ({}, {"gpu": 2, "memory": 512}, {"gpu": 2, "memory": 512}),
        ({"gpu": 1, "shared_memory": 64}, {"shared_memory": 128}, {"gpu": 1, "shared_memory": 128}),
    ],
)
def test_resources_take_the_larger(given: Any, said: Any, wanted: Any) -> None:
    """Per key the maximum counts; what `@resources` leaves out has Metaflow's defaults."""
    assert asked(stacked([batch(**given), resources(**said)])) == wanted
    assert asked(stacked([resources(**said), batch(**given)])) == wanted


def test_a_disk_is_taken_without_effect() -> None:
    """`@resources(disk=...)` moves over from Metaflow, and says that Batch has none to give."""
    with pytest.warns(UserWarning, match="ephemeral_storage") as caught:
        function = stacked([resources(disk=100), batch])
    assert caught[0].filename == __file__
    assert asked(function) == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda: retry(tims=2),
        lambda: timeout(minuets=2),
        lambda: parallel(nodes=2),
        lambda: environment(var={}),
        lambda: secrets(source=["a"]),
        lambda: catch(print_exeption=False),
        lambda: resources(memroy=1),
        lambda: batch(memroy=1),
    ],
)
def test_unknown_arguments_name_the_nearest(make: Callable[[], Any]) -> None:
    """A typing error is answered at once, with the argument that was meant."""
    with pytest.raises(OptionError) as caught:
        make()
    assert "did you mean" in caught.value.hint


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: retry(times=10), ["times = 10", "@retry", "from 0 to 9"]),
        (lambda: retry(times=-1), ["times = -1", "from 0 to 9"]),
        (lambda: retry(minutes_between_retries="x"), ["minutes_between_retries = 'x'"]),
        (lambda: timeout(), ["specify a duration"]),
        (lambda: timeout(fresh()), ["specify a duration"]),
        (lambda: timeout(minutes="soon"), ["minutes = 'soon'", "@timeout"]),
        (lambda: timeout(seconds=-1, minutes=1), ["seconds = -1"]),
        (lambda: timeout(seconds=0.5), ["0.5", "duration"]),
        (lambda: resources(cpu="four"), ["cpu = 'four'", "@resources"]),
        (lambda: catch(var="a b"), ["var = 'a b'", "variable"]),
        (lambda: catch(print_exception="maybe"), ["print_exception = 'maybe'"]),
        (lambda: environment(vars={"A": None}), ["vars = {'A': None}"]),
        (lambda: environment(vars={"AWS_BATCH_X": "1"}), ["reserved"]),
        (lambda: environment(fresh()), ["missing", "vars"]),
        (lambda: parallel(num_nodes=0), ["num_nodes = 0", "from 1"]),
        (lambda: parallel(fresh()), ["missing", "num_nodes"]),
        (lambda: secrets(sources=["a b"]), ["sources = ['a b']", "SOURCE"]),
        (lambda: secrets(sources=[{"id": "a", "role": "r"}, {"id": "b", "role": "s"}]), ["one"]),
        (lambda: retry(1, 2, 3), ["too many"]),
        (lambda: retry(times=2)(int), ["the class int"]),
        (lambda: retry(times=2)(3), ["given int"]),
        (lambda: retry(len), ["@retry", "len"]),
    ],
)
def test_wrong_values_are_refused_at_once(make: Callable[[], Any], words: list[str]) -> None:
    """The message names the decorator's own argument, the value and what it takes."""
    with pytest.raises(OptionError) as caught:
        make()
    text = str(caught.value)
    assert [word for word in words if word not in text] == []
    assert caught.value.hint


@pytest.mark.parametrize(
    "decorators",
    [
        [retry, batch, retry],
        [retry, retry],
        [batch, retry, retry],
        [batch(retries=1), retry],
        [timeout(minutes=2), batch(timeout=60)],
        [batch(environment={"A": "1"}), environment(vars={"A": "2"})],
        [secrets(sources=["A=x"]), batch(secrets=["A=y"])],
        [secrets(sources=["A=x"]), environment(vars={"A": "2"}), batch],
        [batch, batch],
        [batch, retry, batch],
    ],
)
def test_what_is_said_twice(decorators: Any) -> None:
    """Two that contradict each other, or the same one again, are an error where they stand."""
    with pytest.raises(UsageError) as caught:
        stacked(decorators)
    assert caught.value.cause
    assert caught.value.hint


def test_what_is_said_twice_alike() -> None:
    """Two that agree are none."""
    function = stacked([batch(timeout="2m", environment={"A": "1"}), timeout(minutes=2)])
    assert asked(environment(vars={"A": "1", "B": "2"})(function)) == {
        "timeout": 120,
        "environment": {"A": "1", "B": "2"},
    }


def test_without_batch_a_function_stays_one() -> None:
    """It is the same object, runs as before, and carries its settings until `@batch` comes."""
    plain = fresh()
    function = catch(var="problem")(retry(times=1)(plain))
    assert function is plain
    assert function(2) == 2

    @functools.wraps(function)
    def wrapper(x: int) -> int:
        return function(x)

    assert asked(batch(wrapper))["catch"] == "problem"
    again = pickle.loads(cloudpickle.dumps(function))
    assert asked(batch(again)) == asked(batch(function))


def test_hidden_decorators() -> None:
    """A decorator that can't reach the `@batch` below another one says so."""
    inner = batch(fresh())

    @functools.wraps(inner)
    def wrapper(x: int) -> Any:
        return inner(x)

    with pytest.raises(UsageError, match="can't reach the @batch"):
        retry(wrapper)


def test_methods_and_coroutines() -> None:
    """Methods, static and class methods, and ``async`` functions can be decorated."""

    class Model:
        @retry(times=1)
        @batch(cpu=2)
        @resources(cpu=4)
        def fit(self, x: int) -> tuple[Any, int]:
            return self, x

        @retry
        @staticmethod
        @batch
        def start() -> int:
            return 1

        @retry
        @batch
        @classmethod
        def make(cls) -> Any:
            return cls

        @timeout(minutes=2)
        @classmethod
        @batch
        def again(cls) -> Any:
            return cls

    @timeout(minutes=2)
    @batch
    async def slow() -> int:
        return 2

    model = Model()
    assert model.fit.local(3) == (model, 3)
    assert asked(model.fit) == asked(Model.fit)
    assert asked(model.fit)["cpu"] == 4
    assert asked(Model.start)["retries"] == 3
    assert Model.start.local() == 1
    assert Model.make.local() is model.make.local() is Model
    assert asked(Model.make)["retries"] == 3
    assert asked(Model.again) == {"timeout": 120}
    assert Model.again.options(cpu=2).local() is Model
    assert inspect.iscoroutinefunction(slow._function)
    assert asked(slow) == {"timeout": 120}


@batch(cpu=2)
@retry(times=1)
def published(x: int) -> int:
    """Stand in a module."""
    return x


def test_pickling() -> None:
    """A function of a module travels by name, another one with all that was said."""
    assert pickle.loads(pickle.dumps(published)) is published
    function = stacked([retry(times=1), batch(cpu=2), environment(vars={"A": "1"})])
    again = cloudpickle.loads(cloudpickle.dumps(function))
    assert asked(again) == asked(function)
    assert repr(again) == repr(function)
    assert again.local(5) == 5


def test_options_override_what_was_stacked() -> None:
    """`.options` has the last word, option by option; `repr` shows what is asked for."""
    function = stacked([resources(memory=8000), batch(cpu=2), retry(times=2)])
    other = function.options(memory=512, retries=0, minutes_between_retries=None)
    assert asked(other) == {"cpu": 2, "memory": 512, "retries": 0}
    assert asked(function)["memory"] == 8000
    assert repr(other) == f"<@batch(cpu=2, memory=512, retries=0) {function.__qualname__}>"
    assert "memory=8000, retries=2" in repr(function)
    with pytest.raises(OptionError, match="did you mean memory"):
        function.options(memroy=1)


def test_flytes_configuration() -> None:
    """The five fields have Flyte's names and defaults, and become options of our own."""
    assert vars(AWSBatchConfig()) == {
        "parameters": None,
        "schedulingPriority": None,
        "platformCapabilities": "EC2",
        "propagateTags": None,
        "tags": None,
    }
    config = AWSBatchConfig(
        parameters={"a": "1"},
        schedulingPriority=7,
        platformCapabilities="FARGATE",
        propagateTags=True,
        tags={"team": "ml"},
    )
    wanted = {
        "parameters": {"a": "1"},
        "scheduling_priority": 9,
        "platform_capabilities": "FARGATE",
        "propagate_tags": True,
        "tags": {"team": "ml"},
    }
    more = {"scheduling_priority": 9}
    for decorate in (
        batch(config, **more),
        batch(task_config=config, **more),
        lambda function: batch(function).options(config, **more),
        lambda function: batch(function).options(task_config=config, **more),
        lambda function: retry(times=0)(batch(config, **more)(function)),
    ):
        assert asked(decorate(fresh())).items() >= wanted.items()


def test_flytes_default_platform_is_not_asked_for() -> None:
    """``EC2`` that nobody typed does not keep a job from a Fargate queue; one typed does."""
    assert asked(batch(AWSBatchConfig(tags={"a": "b"}))(fresh())) == {"tags": {"a": "b"}}
    typed = AWSBatchConfig(platformCapabilities="EC2")
    assert asked(batch(typed)(fresh())) == {"platform_capabilities": "EC2"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: batch(task_config={"tags": {}}),
        lambda: batch(AWSBatchConfig(), task_config=AWSBatchConfig()),
        lambda: batch(AWSBatchConfig(platformCapabilities="EKS")),
        lambda: batch(AWSBatchConfig(schedulingPriority=10_000)),
        lambda: batch(3),
    ],
)
def test_wrong_configurations(make: Callable[[], Any]) -> None:
    """What is no such configuration, or holds a wrong value, is refused."""
    with pytest.raises(OptionError):
        make()


def test_decorators_explain_themselves() -> None:
    """Each shows its arguments and says what they do."""
    assert list(inspect.signature(retry).parameters) == ["times", "minutes_between_retries"]
    for name in ("resources", "retry", "timeout", "catch", "environment", "secrets", "parallel"):
        decorator = getattr(nbbatch, name)
        assert decorator.__name__ == name
        assert decorator.__doc__
