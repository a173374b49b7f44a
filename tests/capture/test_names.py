"""Names that a cell reads and binds, case by case."""

from __future__ import annotations

import argparse
import ast
import asyncio
import dataclasses
import dis
import inspect
import sys
import textwrap
import types
from typing import TYPE_CHECKING

import pytest

from nbbatch.capture.bytecode import uses
from nbbatch.capture.names import analyse, function_globals, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("y = x", "x"),
        ("x = 1\nx", ""),
        ("x = x", "x"),
        ("x += 1", "x"),
        ("x = 1\nx += 1", ""),
        ("a[0] = b", "a b"),
        ("a.b.c = 1", "a"),
        ("a[i] += 1", "a i"),
        ("del x", "x"),
        ("x = 1\ndel x", ""),
        ("del a[0], b.c", "a b"),
        ("f(*args, **options)", "args f options"),
        ("[*xs, *ys]", "xs ys"),
        ("f'{a:{b}}' f'{c!r}'", "a b c"),
        ("lambda p, q=d: p + q + g", "d g"),
        ("x: T = 1", "T"),
        ("x: T", "T"),
        ("print((n := 10), n)", "print"),
        ("{a: x, (x := 1): b}", "a b x"),
        ("(x := 1) and (y := 2)\nx, y", "y"),
        ("(x := 1) if c else (x := 2)\nx", "c"),
        ("a < (b := c) < (d := e)\nb, d", "a c d e"),
        ("assert (x := 1)\nx", "x"),
        ("import os.path as p, sys\np, sys", ""),
        ("import a.b\na", ""),
        ("from a import b as c\nb, c", "b"),
        ("from a import *\nb", "b"),
    ],
)
def test_statements_and_expressions(source: str, reads: str) -> None:
    """A name is read where it is looked up before the cell has settled it."""
    assert sorted(analyse(source).reads) == reads.split()


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("if c:\n  x = 1\nx", "c x"),
        ("if c:\n  x = 1\nelse:\n  x = 2\nx", "c"),
        ("if c:\n  x = 1\nelse:\n  raise E\nx", "E c"),
        ("for i in xs:\n  y = i\ny", "xs y"),
        ("for i in xs:\n  pass\nelse:\n  y = 1\ny", "xs"),
        ("for i in xs:\n  break\nelse:\n  y = 1\ny", "xs y"),
        ("for i in xs:\n  if i:\n    continue\n  y = 1\n  y", "xs"),
        ("while (n := f()):\n  z = 1\nn, z", "f z"),
        ("with open(p) as f:\n  text = f.read()\ntext", "open p"),
        ("with lock as l:\n  x = 1\nl, x", "lock x"),
        ("with a as (b, c):\n  pass\nb", "a b"),
        ("with a as b, c as d:\n  pass\nb, d", "a c d"),
        ("try:\n  x = 1\nfinally:\n  y = 1\nx, y", ""),
        ("try:\n  x = f()\nexcept E as e:\n  x = e\nx, e", "E e f"),
        ("try:\n  x = f()\nexcept E:\n  pass\nx", "E f x"),
        ("try:\n  x = f()\nexcept E:\n  raise\nx", "E f"),
        ("try:\n  x = f()\nfinally:\n  x", "f x"),
        ("try:\n  f()\nexcept E:\n  x = 1\nelse:\n  x = 2\nx", "E f"),
        ("match p:\n  case 1:\n    x = 1\n  case _:\n    x = 2\nx", "p"),
        ("match p:\n  case 1:\n    x = 1\nx", "p x"),
        ("match p:\n  case {'k': v, **r} if v > t:\n    v, r\n  case [a, *b]:\n    a, b", "p t"),
        ("match p:\n  case C.RED | D(q=1):\n    pass", "C D p"),
        ("match p:\n  case 1 if g:\n    x = 1\n  case y:\n    x = y\nx", "g p"),
    ],
)
def test_branches(source: str, reads: str) -> None:
    """After a branch, only what every way through it binds is settled."""
    assert sorted(analyse(source).reads) == reads.split()


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("def f(a, b=c, *d, e=g, **h):\n  return a, b, d, e, h, i", "c g i"),
        ("@deco(1)\ndef f(): pass", "deco"),
        ("def f(x: A) -> B: pass", "A B"),
        ("def f():\n  global n\n  n += 1", "n"),
        ("def f():\n  global n\n  n = 1", ""),
        ("def f():\n  global n\n  del n", "n"),
        ("def f():\n  def g():\n    return x\n  return g", "x"),
        ("def f():\n  x = 1\n  def g():\n    nonlocal x\n    x += y\n  return g", "y"),
        ("def f():\n  class A:\n    b = b\n  return A", "b"),
        ("def f():\n  return [x for x in xs if x > t]", "t xs"),
        ("async def f():\n  async for x in xs:\n    await y(x)", "xs y"),
        ("def f(): return f()", ""),
        ("@cache\ndef f(n): return f(n - 1)", "cache"),
        ("def f(): return g()\ndef g(): return f()\nf()", ""),
        ("def f(): return g()\nf()\ndef g(): pass", "g"),
        ("def f(): return g()\ndef h(x=f()): pass\ndef g(): pass", "g"),
        ("def f(): return LIMIT\nimport os\nLIMIT = 3\nf()", ""),
        ("try:\n  def f(): return g\n  import os\n  g = 1\nexcept E:\n  f()", "E f g"),
        ("class A(B, metaclass=M):\n  x = y\n  z = x", "B M y"),
        ("class A:\n  x = x", "x"),
        ("class A:\n  x = 1\n  def f(self): return x", "x"),
        ("class A:\n  x = [1]\n  y = [x for _ in x]", "x"),
        ("class A:\n  x = 1\n  del x\n  y = x", "x"),
        ("class A:\n  global x\n  x = 1\nx", ""),
        ("class A:\n  def copy(self): return A()\n  size = field()", "field"),
        ("@dataclass\nclass A:\n  x: int = 0\n  def f(self) -> 'A': return A(1)", "dataclass int"),
        ("class A:\n  def f(): return A\n  x = f()", "A"),
        ("class A:\n  x = (lambda: A)()", "A"),
        ("class A:\n  @property\n  def x(self): return g(A)\ndef g(): pass", "property"),
        ("class A:\n  @deco\n  def x(self): return g(A)\ndef g(): pass", "deco g"),
        ("class A:\n  @property\n  def x(self): A\n  @x.setter\n  def x(self, v): A", "property"),
        ("class A:\n  def fit(self): return fit(self)", "fit"),
        ("class A:\n  class B:\n    def f(self): return B", "B"),
        ("class A:\n  y = __secret", "_A__secret"),
    ],
)
def test_definitions(source: str, reads: str) -> None:
    """What a body reads counts, from the moment when something may call it."""
    assert sorted(analyse(source).reads) == reads.split()


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("[x for x in xs]", "xs"),
        ("[x for x in x]", "x"),
        ("[y for x in xs for y in x if y > t]", "t xs"),
        ("{k: v for k, v in items}", "items"),
        ("(a for a in b if (c := a))\nc", "b c"),
        ("[lambda: (x, y) for x in xs]", "xs y"),
        ("[(last := x) for x in xs]\nprint(last)", "last print xs"),
        ("[y := f(x), y**2]", "f x"),
        ("[(lambda: z)() for z in zs]; (lambda: w)", "w zs"),
    ],
)
def test_comprehensions(source: str, reads: str) -> None:
    """The targets of a comprehension are its own; a walrus in it binds outside, perhaps."""
    assert sorted(analyse(source).reads) == reads.split()


@pytest.mark.parametrize(
    ("source", "binds"),
    [
        ("a = b, c = 1, 2\n[d, *e] = x\nf.g = h[0] = 1", "a b c d e"),
        ("import a.b, c.d as e\nfrom f import g, h as i", "a e g i"),
        ("for a, b in c: d = 1\nelse: e = 1", "a b d e"),
        ("with a as b, c as (d, e): pass", "b d e"),
        ("try: pass\nexcept E as e: pass", "e"),
        ("(n := 1); [m := k for k in q]", "m n"),
        ("match p:\n  case [a, *b] | {'a': a, **b}: pass\n  case C(x=c) as d: pass", "a b c d"),
        ("def f():\n  global a\n  a = 1\n  b = 2", "a f"),
        ("def f():\n  def g():\n    global a\n    import a", "a f"),
        ("class A:\n  b = 1\n  global c\n  c = 1", "A c"),
        ("a: int = 1\nb: int", "a"),
        ("async def f(): x = 1", "f"),
        ("a += 1", "a"),
    ],
)
def test_binds(source: str, binds: str) -> None:
    """Every top-level binding is found, and nothing local."""
    try:
        names = analyse(source)
    except SyntaxError:
        pytest.fail("the case itself does not parse")

    assert sorted(names.binds) == binds.split()


def test_deletes() -> None:
    """Deletions at top level and by a function's global count."""
    names = analyse("del a, b[0], c.d\ndef f():\n  global e\n  del e\n  g = 1\n  del g")

    assert names.deletes == {"a", "e"}


def test_imports() -> None:
    """Imports anywhere count, relative ones too; a name that is imported may be a module."""
    names = analyse(
        "import a.b as c\nfrom d.e import f\n"
        "def g():\n  import h\n  from . import i\n  from ..j import k"
    )

    assert names.imports == {"a.b", "d.e", "d.e.f", "h", "i", "j", "j.k"}


def test_imports_by_calls() -> None:
    """Modules that are named by a text count; relative ones and computed ones can't."""
    names = analyse(
        "importlib.import_module('a.b')\nmodule = import_module('c')\n"
        "def f():\n    return __import__('d', fromlist=['e'])\n"
        "import_module('.x', 'y'), import_module(z), __import__(), other('w')\n"
    )

    assert names.imports == {"a.b", "c", "d"}


def test_words() -> None:
    """Attributes, whole and in parts, texts that are a word, and what addresses begin with."""
    names = analyse(
        "a.read_excel('x y', engine='openpyxl')\n"
        "def f():\n"
        "    return f's3://{a}/b', 'sql+driver://c', 'a/b'"
    )
    assert names.words == {"read_excel", "read", "excel", "openpyxl", "s3", "sql", "driver"}


def test_star_imports() -> None:
    """Star imports are named in their order, for they bind nobody knows what."""
    names = analyse("from b.c import *\nfrom a import *\nfrom .d import *")

    assert names.star_imports == ("b.c", "a", ".d")
    assert names.imports == {"a", "b.c", "d"}


@pytest.mark.parametrize(
    ("source", "dynamic"),
    [
        ("exec(code)", True),
        ("def f(): return eval('x')", True),
        ("globals()['x']", True),
        ("locals()", True),
        ("vars()", True),
        ("vars(x)", False),
        ("df.eval('x')", False),
        ("x = 1", False),
    ],
)
def test_dynamic(source: str, dynamic: bool) -> None:
    """Looking names up by string is noticed."""
    assert analyse(source).dynamic is dynamic


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("df.query('a > @limit')", "df limit"),
        ("df.query(f'a > @limit and {b}')", "b df limit"),
        ("limit = 1\ndf.query('a > @limit')", "df"),
        ("def f(df): return df.eval('a * @k.x')", "k"),
        ("query('a > @limit')", "query"),
        ("df.query('mail == \"a@ b\"')", "df"),
    ],
)
def test_names_in_queries(source: str, reads: str) -> None:
    """The variables in a data frame's query are read by pandas, from the cell."""
    assert sorted(analyse(source).reads) == reads.split()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="except* is new in Python 3.11")
def test_exception_groups() -> None:
    """An ``except*`` is an ``except``."""
    names = analyse("try:\n  x = f()\nexcept* E as e:\n  y = e\nx, y")

    assert sorted(names.reads) == ["E", "f", "x", "y"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters are new in Python 3.12")
@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("def f[T: B](x: T, y: A = D) -> T: return T, g", "A B D g"),
        ("class A[T](Base[T]):\n  x: T\n  def f[U](self, u: U) -> T: return u", "Base"),
        ("type X[T] = dict[T, V]\nX", "V dict"),
        ("class A:\n  K = int\n  def f[T](self, x: K) -> T: ...", "int"),
    ],
)
def test_type_parameters(source: str, reads: str) -> None:
    """Type parameters are names of their definition's own."""
    assert sorted(analyse(source).reads) == reads.split()


def test_top_level_await() -> None:
    """Cells may await at top level, in every form."""
    names = analyse("await a\nasync with b as c: pass\n[x async for x in d]\nasync for e in f: e")

    assert sorted(names.reads) == ["a", "b", "d", "f"]


def test_doubtful_escapes_do_not_warn() -> None:
    """Analysing is silent (warnings are errors here): the cell itself will warn."""
    assert analyse(r"x = '\d'").binds == {"x"}


def test_wanted() -> None:
    """Of what is read, the namespace has some, and hides some of that."""
    names = analyse("print(b, a, missing, get_ipython, __name__)")
    namespace = {"a": 1, "b": 2, "c": 3, "get_ipython": 4, "__name__": "__main__"}

    assert wanted(names, namespace, {"get_ipython"}) == ["a", "b"]


def test_function_globals() -> None:
    """A function's globals are those that it and its inner functions read."""
    namespace: dict[str, object] = {}
    exec(
        "def f(a):\n"
        "  global n, m\n"
        "  n += 1\n"
        "  m = a.attribute\n"
        "  class C:\n"
        "    x = y\n"
        "  return lambda: [z for _ in a if q]\n",
        namespace,
    )
    function = namespace["f"]
    assert callable(function)

    assert function_globals(function) == {"n", "y", "z", "q"}
    assert function_globals(len) == set()


@pytest.mark.parametrize("module", [argparse, ast, asyncio.base_events, dataclasses, textwrap])
def test_bytecode_is_read_as_dis_does(module: types.ModuleType) -> None:
    """The short-cut through the bytecode finds the same uses as the standard library's reader."""
    source = (
        inspect.getsource(module)
        + "\ndef f():\n"
        + "".join(
            f"    global n{number}\n    n{number} = m{number}.a{number}\n" for number in range(300)
        )
    )
    code = compile(source, "<module>", "exec")

    for inner in every_code(code):
        steps = [s for s in dis.get_instructions(inner) if "GLOBAL" in s.opname]
        steps += [s for s in dis.get_instructions(inner) if s.opname == "LOAD_NAME"]
        assert sorted(uses(inner)) == sorted((step.opname, step.argval) for step in steps)


def every_code(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object and all inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from every_code(const)
