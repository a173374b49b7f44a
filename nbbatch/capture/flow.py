"""Walks the statements of a cell in the order in which they run."""

# The methods are named as ast.NodeVisitor wants them.
# ruff: noqa: N815

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from nbbatch.capture.bytecode import QUERIES, Globals, names_after
from nbbatch.capture.scopes import Frame, Kind, Scopes, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Flow"]

_WRAPPERS: Final = frozenset(
    {"abstractmethod", "cache", "cached_property", "classmethod", "property", "staticmethod"}
)


class Flow(ast.NodeVisitor):
    """Finds what a cell's statements read, bind and delete; `scopes` has the answer.

    What a function reads is looked up when something may call it first. A call is only ruled
    out at the top level, between definitions that follow each other: so functions that use each
    other may stand in any order, and a method may use its class.
    """

    def __init__(self, functions: Mapping[tuple[str, int], Globals]) -> None:
        self.scopes = Scopes()
        self._functions = functions
        #: What functions read that nothing can have called yet.
        self._pending: set[str] = set()
        self._branch_depth = 0

    def run(self, statements: Iterable[ast.stmt]) -> Scopes:
        """Walk a whole cell."""
        self._block(statements)
        self._flush()
        return self.scopes

    def _flush(self) -> None:
        self.scopes.read_globals(self._pending)
        self._pending.clear()

    def _defer(self, names: set[str]) -> None:
        self._pending |= names
        if self._branch_depth:
            self._flush()

    def _block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if self._pending and not _only_defines(statement):
                self._flush()
            self.visit(statement)

    def _branch(
        self, statements: Iterable[ast.stmt], before: Iterable[ast.AST | None] = ()
    ) -> None:
        self._all(before)
        self._branch_depth += 1
        self._block(statements)
        self._branch_depth -= 1

    def _all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        """Visit what is inside `node`; of most nodes half are markers with nothing in them."""
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                self._all(item for item in value if isinstance(item, ast.AST))
            elif isinstance(value, ast.AST) and value._fields:
                self.visit(value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Do nothing: constants are many."""

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)

    # simple statements

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.scopes.read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.scopes.bind(node.id)
        else:
            self.scopes.delete(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.scopes.read(node.target.id)
            self._all([node.value, node.target])
        else:
            self._all([node.target, node.value])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._all([node.value])
        self.scopes.maybe(lambda: self.visit(node.annotation))
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.scopes.bind(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                self.scopes.bind(alias.asname or alias.name)

    def visit_Assert(self, node: ast.Assert) -> None:
        # Nothing in it is certain to run: python -O leaves it out.
        self.scopes.maybe(lambda: self._all([node.test, node.msg]))

    def visit_Raise(self, node: ast.Raise) -> None:
        self._all([node.exc, node.cause])
        self.scopes.dead = True

    def visit_Break(self, node: ast.Break) -> None:
        self.scopes.dead = True

    def visit_Continue(self, node: ast.Continue) -> None:
        self.scopes.dead = True

    # compound statements

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.scopes.either(lambda: self._branch(node.body), lambda: self._branch(node.orelse))

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.scopes.maybe(lambda: self._branch(node.body, [node.target]))
        self._loop_else(node)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self.scopes.maybe(lambda: self._branch(node.body))
        self._loop_else(node)

    def _loop_else(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        if any(isinstance(inner, ast.Break) for part in node.body for inner in ast.walk(part)):
            self.scopes.maybe(lambda: self._branch(node.orelse))
        else:
            self._branch(node.orelse)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        if all(_lets_errors_pass(item) for item in node.items):
            self._all(node.items)
            self._branch(node.body)
            return
        # An exit may swallow the error of whatever comes after its entry.
        first, *rest = node.items
        self.visit(first.context_expr)
        if isinstance(first.optional_vars, ast.Name):
            self.visit(first.optional_vars)
        self.scopes.maybe(lambda: self._branch(node.body, [first.optional_vars, *rest]))

    visit_AsyncWith = visit_With

    def visit_Try(self, node: Any) -> None:  # ast.Try, or from 3.11 on ast.TryStar
        start = self.scopes.state()
        self._branch(node.body)
        self._branch(node.orelse)
        ends = [self.scopes.state()]
        for handler in node.handlers:
            self.scopes.resume(start)
            self.visit(handler)
            ends.append(self.scopes.state())
        # The last clause may run after any part of the rest.
        self.scopes.resume(State(start.settled, dead=False))
        self._branch(node.finalbody)
        last = self.scopes.state()
        self.scopes.join(ends)
        joined = self.scopes.state()
        both = (a | b for a, b in zip(joined.settled, last.settled, strict=True))
        self.scopes.resume(State(tuple(both), joined.dead or last.dead))

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._all([node.type])
        if node.name:
            self.scopes.bind(node.name)
        self._branch(node.body)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        cases = [self._case(case) for case in node.cases]
        self.scopes.either(*cases, *([] if _takes_all(node.cases[-1]) else [lambda: None]))

    def _case(self, case: ast.match_case) -> Callable[[], object]:
        return lambda: self._branch(case.body, [case.pattern, case.guard])

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.generic_visit(node)
        if node.name:
            self.scopes.bind(node.name)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self.scopes.bind(node.rest)

    # definitions

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        self._all([*node.decorator_list, *arguments.defaults, *arguments.kw_defaults])
        self._with_parameters(node, lambda: self._all([*_annotations(arguments), node.returns]))
        first = node.decorator_list[0] if node.decorator_list else node
        used = self._used_by(node.name, first.lineno)
        own = node.name if self.scopes.is_global(node.name) else self.scopes.class_in_making()
        self._defer(used - {own})
        self.scopes.bind(node.name)
        if not all(map(_only_wraps, node.decorator_list)):
            self._flush()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._all([*node.args.defaults, *node.args.kw_defaults])
        self.scopes.read_globals(self._used_by("<lambda>", node.lineno))

    def _used_by(self, name: str, line: int) -> set[str]:
        """Return what a function reads, after noting what it binds by ``global``."""
        used = self._functions.get((name, line), Globals())
        self.scopes.binds |= used.stores
        self.scopes.deletes |= used.deletes
        return used.loads

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._all(node.decorator_list)
        self._with_parameters(node, lambda: self._class_body(node))
        self.scopes.bind(node.name)
        if node.decorator_list or node.bases or node.keywords:
            self._flush()

    def _class_body(self, node: ast.ClassDef) -> None:
        self._all([*node.bases, *node.keywords])
        with self.scopes.inside(_class_frame(node)):
            self._block(node.body)

    def _with_parameters(self, node: ast.AST, visit: Callable[[], object]) -> None:
        """Visit where the type parameters of `node` (Python 3.12) are known."""
        parameters = getattr(node, "type_params", [])
        names = {parameter.name for parameter in parameters}
        with self.scopes.inside(Frame(Kind.PARAMETERS, names)):
            for parameter in parameters:
                self._all([getattr(parameter, "bound", None)])
                self._all([getattr(parameter, "default_value", None)])
            visit()

    def visit_TypeAlias(self, node: Any) -> None:  # ast.TypeAlias is new in 3.12
        self._with_parameters(node, lambda: self.visit(node.value))
        self.scopes.bind(node.name.id)

    # expressions

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.scopes.bind(node.target.id, walrus=True)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        first, *rest = node.values
        self.visit(first)
        self.scopes.maybe(lambda: self._all(rest))

    def visit_Compare(self, node: ast.Compare) -> None:
        first, *rest = node.comparators
        self._all([node.left, first])
        if rest:
            self.scopes.maybe(lambda: self._all(rest))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self.scopes.either(lambda: self.visit(node.body), lambda: self.visit(node.orelse))

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            self._all([key, value])

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        for name in _query_names(node):
            self.scopes.read(name)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        self._comprehension(node.generators, [node.elt])

    visit_SetComp = visit_ListComp
    visit_GeneratorExp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, [node.key, node.value])

    def _comprehension(self, loops: list[ast.comprehension], made: list[ast.expr]) -> None:
        self.visit(loops[0].iter)
        names = {name for loop in loops for name in _stored(loop.target)}
        steps: list[ast.expr] = []
        for number, loop in enumerate(loops):
            steps += [*([loop.iter] if number else []), loop.target, *loop.ifs]
        with self.scopes.inside(Frame(Kind.COMPREHENSION, names)):
            self.scopes.maybe(lambda: self._all([*steps, *made]))


def _query_names(call: ast.Call) -> Iterator[str]:
    """Yield the ``@name`` in strings given to a data frame's `query` and `eval`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in QUERIES:
        for part in (part for argument in call.args for part in ast.walk(argument)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from names_after("@", part.value)


def _stored(target: ast.AST, context: type[ast.expr_context] = ast.Store) -> set[str]:
    return {
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }


def _annotations(arguments: ast.arguments) -> list[ast.expr | None]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [argument.annotation for argument in (*named, *starred)]


def _class_frame(node: ast.ClassDef) -> Frame:
    handlers = {
        inner.name
        for inner in ast.walk(node)
        if isinstance(inner, ast.ExceptHandler) and inner.name
    }
    declared = (own.names for own in node.body if isinstance(own, ast.Global))
    return Frame(
        Kind.CLASS,
        name=node.name,
        calls_methods=_uses_methods(node),
        declared_global=frozenset(name for names in declared for name in names),
        volatile=frozenset(handlers | _stored(node, ast.Del)),
    )


def _uses_methods(node: ast.ClassDef) -> bool:
    """Tell whether a class body mentions one of its own methods where it runs itself."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    methods = {inner.name for inner in ast.walk(node) if isinstance(inner, functions)}
    waiting: list[ast.AST] = [*node.body]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Name) and inner.id in methods:
            return True
        if isinstance(inner, functions):
            waiting += [deco for deco in inner.decorator_list if not _only_wraps(deco)]
            waiting += [inner.args]
        elif isinstance(inner, ast.Lambda):
            waiting += [inner.args]
        else:
            waiting += ast.iter_child_nodes(inner)
    return False


def _only_wraps(decorator: ast.expr) -> bool:
    """Tell whether a decorator is known not to call what it is given."""
    if isinstance(decorator, ast.Attribute):
        return decorator.attr in ("setter", "deleter", "getter", "abstractmethod")
    return isinstance(decorator, ast.Name) and decorator.id in _WRAPPERS


def _takes_all(case: ast.match_case) -> bool:
    pattern = case.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _lets_errors_pass(item: ast.withitem) -> bool:
    """Tell whether a context manager is known not to swallow errors: ``open(...)``."""
    call = item.context_expr
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "open"


def _only_defines(statement: ast.stmt) -> bool:
    """Tell whether `statement` can't call a function of the cell."""
    running: list[ast.AST | None]
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        arguments = statement.args
        running = [*statement.decorator_list, *arguments.defaults, *arguments.kw_defaults]
        running += [*_annotations(arguments), statement.returns]
    elif isinstance(statement, ast.ClassDef):
        # Its body is looked at statement by statement.
        running = [*statement.decorator_list, *statement.bases, *statement.keywords]
    elif isinstance(statement, ast.Assign):
        named = all(isinstance(target, ast.Name) for target in statement.targets)
        return named and isinstance(statement.value, ast.Constant)
    elif isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    else:
        return isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass, ast.Global))
    return not any(
        isinstance(inner, (ast.Call, ast.Await))
        for node in running
        if node is not None
        for inner in ast.walk(node)
    )
