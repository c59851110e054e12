"""Expressions of rules: Python's syntax, a small part of it, checked by type and turned into closures.

Nothing is evaluated by name at run time and there is no `eval`: what is not in the vocabulary does not compile.
Numbers are exact whole numbers of any size.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.inspection.rules.expression import Compiled, ExpressionError, Names, Run, constant, constants, literal
from gateway.inspection.rules.quantifier import NOTHING, Level, matching, values
from gateway.inspection.rules.spelling import python_of, shortened, with_article, written
from gateway.inspection.rules.vocabulary import COLLECTIONS, FUNCTIONS, GLOBALS, Type
from gateway.model.primitive import ZERO_ADDRESS

DEEPEST = 32
"""parts within parts; quantifiers within quantifiers are counted apart"""
QUANTIFIERS = 2
"""a quantifier may stand within another: pairs of things, but no more"""

_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ARITHMETIC: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def compile_expression(text: str, names: Names = Names()) -> Compiled:
    """Check `text` and make a function of it.

    Raises:
        ExpressionError: it is too long, no expression, or uses what is not in the vocabulary.
    """
    return _Compiler(names).compile(text)


class _Compiler:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._levels: list[Level] = []
        self._macros: list[str] = []
        self._text = ""
        self._depth = 0

    def compile(self, text: str) -> Compiled:
        before, self._text = self._text, python_of(text)
        try:
            tree = ast.parse(self._text, mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            why = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
            raise ExpressionError(f"`{shortened(text)}` is no expression: {why}") from None
        try:
            return self._node(tree.body)
        finally:
            self._text = before

    def _node(self, node: ast.expr) -> Compiled:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._refused(node, f"is nested more than {DEEPEST} deep; use selections or macros")
        try:
            return self._dispatch(node)
        finally:
            self._depth -= 1

    def _dispatch(self, node: ast.expr) -> Compiled:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name):
                return self._name(node, name.removesuffix("_") if name == "from_" else name)
            case ast.Attribute(value=ast.Name(id=base), attr=name):
                return self._dotted(node, base, "from" if name == "from_" else name)
            case ast.BoolOp():
                return self._logic(node)
            case ast.UnaryOp():
                return self._sign(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return self._list(node, parts)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, name, arguments)
        raise self._refused(node, "is not part of the language; see `stopgate rules fields`")

    def _constant(self, node: ast.Constant) -> Compiled:
        if isinstance(node.value, bool):
            return constant(Type.TRUTH, node.value)
        if isinstance(node.value, int):
            found = literal(self._source(node))
            return constant(*found) if found is not None else constant(Type.NUMBER, node.value)
        if isinstance(node.value, str):
            return constant(Type.TEXT, node.value)
        raise self._refused(node, "is no whole number, truth or text; amounts are whole numbers of smallest units")

    def _name(self, node: ast.expr, name: str) -> Compiled:
        if self._levels and name in self._levels[-1].collection.fields:
            known = self._levels[-1].collection.fields[name]
            read = known.read
            return Compiled(known.type, lambda moment, item: read(item))
        if name in ("true", "false"):
            return constant(Type.TRUTH, name == "true")
        if name == "coin":
            return constant(Type.ADDRESS, ZERO_ADDRESS)
        if name in self._names.lists:
            return self._names.lists[name]
        if name in self._names.selections:
            return self._names.selections[name]
        if name in self._names.macros:
            return self._macro(node, name)
        raise self._refused(node, f"is not known{self._known_here()}")

    def _macro(self, node: ast.expr, name: str) -> Compiled:
        if name in self._macros:
            raise self._refused(node, f"is a macro that leads back to itself: {' -> '.join([*self._macros, name])}")
        self._macros.append(name)
        try:
            return self.compile(self._names.macros[name])
        finally:
            self._macros.pop()

    def _known_here(self) -> str:
        own = [*self._names.selections, *self._names.lists, *self._names.macros]
        if self._levels:
            level = self._levels[-1]
            own = [*level.collection.fields, *own]
            return f"; fields of {level.name} and own names: {', '.join(own)}"
        return f"; own names: {', '.join(own)}" if own else "; fields stand within a quantifier, as in any(calls, ...)"

    def _dotted(self, node: ast.expr, base: str, name: str) -> Compiled:
        if base == "outer" and len(self._levels) > 1:
            level = self._levels[-2]
            if name not in level.collection.fields:
                raise self._refused(node, f"is no field of {level.name}: {', '.join(level.collection.fields)}")
            known = level.collection.fields[name]
            read = known.read
            return Compiled(known.type, lambda moment, item: read(moment.outer))
        found = GLOBALS.get(f"{base}.{name}")
        if found is None:
            raise self._refused(node, f"is not known; there are {', '.join(GLOBALS)}")
        value = found.read
        return Compiled(found.type, lambda moment, item: value(moment.subject))

    def _logic(self, node: ast.BoolOp) -> Compiled:
        runs = tuple(self._of(part, Type.TRUTH).run for part in node.values)
        if isinstance(node.op, ast.And):
            return Compiled(Type.TRUTH, lambda moment, item: all(run(moment, item) for run in runs))
        return Compiled(Type.TRUTH, lambda moment, item: any(run(moment, item) for run in runs))

    def _sign(self, node: ast.UnaryOp) -> Compiled:
        if isinstance(node.op, ast.Not):
            asked = self._of(node.operand, Type.TRUTH).run
            return Compiled(Type.TRUTH, lambda moment, item: not asked(moment, item))
        if isinstance(node.op, ast.USub):
            number = self._of(node.operand, Type.NUMBER).run
            return Compiled(Type.NUMBER, lambda moment, item: -number(moment, item))
        raise self._refused(node, "is not part of the language")

    def _arithmetic(self, node: ast.BinOp) -> Compiled:
        if isinstance(node.op, ast.Div):
            raise self._refused(node, "would give fractions; write // for whole numbers, or multiply the other side")
        if isinstance(node.op, ast.Pow):
            raise self._refused(node, "is not part of the language; write units(amount, decimals)")
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self._refused(node, "is not part of the language; there are + - * // %")
        left, right = self._of(node.left, Type.NUMBER).run, self._of(node.right, Type.NUMBER).run
        return Compiled(Type.NUMBER, lambda moment, item: function(left(moment, item), right(moment, item)))

    def _comparison(self, node: ast.Compare) -> Compiled:
        sides = [node.left, *node.comparators]
        pairs = [self._pair(node, *parts) for parts in zip(sides, node.ops, sides[1:], strict=False)]
        if len(pairs) == 1:
            return Compiled(Type.TRUTH, pairs[0])
        return Compiled(Type.TRUTH, lambda moment, item: all(pair(moment, item) for pair in pairs))

    def _pair(self, node: ast.expr, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Run:
        if isinstance(sign, ast.In | ast.NotIn):
            return self._membership(node, left, right, isinstance(sign, ast.In))
        one = self._single(left)
        if type(sign) in _ORDER:
            if one.type is not Type.NUMBER:
                raise self._refused(left, f"is {with_article(one.type)}; only numbers are smaller or larger")
            order, a, b = _ORDER[type(sign)], one.run, self._of(right, Type.NUMBER).run
            return lambda moment, item: order(a(moment, item), b(moment, item))
        if not isinstance(sign, ast.Eq | ast.NotEq):
            raise self._refused(
                node, "compares in a way that is not part of the language; there are == != < <= > >= in"
            )
        a, b, equal = one.run, self._of(right, one.type).run, isinstance(sign, ast.Eq)
        return lambda moment, item: (a(moment, item) == b(moment, item)) is equal

    def _membership(self, node: ast.expr, left: ast.expr, right: ast.expr, wanted: bool) -> Run:
        one, many = self._single(left), self._node(right)
        if not many.many:
            raise self._refused(right, "is no list; name one of `lists`, or write [a, b]")
        if many.type is not one.type:
            raise self._refused(node, f"looks for {with_article(one.type)} in a list of {many.type} values")
        find, among = one.run, many.run
        return lambda moment, item: (find(moment, item) in among(moment, item)) is wanted

    def _choice(self, node: ast.IfExp) -> Compiled:
        asked, one = self._of(node.test, Type.TRUTH).run, self._single(node.body)
        first, second = one.run, self._of(node.orelse, one.type).run
        return Compiled(one.type, lambda moment, item: (first if asked(moment, item) else second)(moment, item))

    def _list(self, node: ast.expr, parts: Sequence[ast.expr]) -> Compiled:
        if not parts:
            raise self._refused(node, "is empty")
        found = [self._single(part) for part in parts]
        strange = next((part for part, one in zip(parts, found, strict=True) if one.type is not found[0].type), None)
        if strange is not None:
            raise self._refused(strange, f"stands in a list of {found[0].type} values")
        if all(one.constant is not None for one in found):
            return constants(found[0].type, [one.constant for one in found])
        runs = tuple(one.run for one in found)
        return Compiled(found[0].type, lambda moment, item: [run(moment, item) for run in runs], many=True)

    def _call(self, node: ast.expr, name: str, arguments: Sequence[ast.expr]) -> Compiled:
        if name in ("any", "all", "count"):
            return self._quantifier(node, name, arguments)
        if name in ("sum", "max", "min"):
            return self._aggregate(node, name, arguments)
        if self._levels and name in self._levels[-1].collection.readers:
            reader = self._levels[-1].collection.readers[name]
            if len(arguments) != 1:
                raise self._refused(node, "takes one number")
            read, number = reader.read, self._of(arguments[0], Type.NUMBER).run
            return Compiled(reader.type, lambda moment, item: read(item, number(moment, item)))
        function = FUNCTIONS.get(name)
        if function is None:
            own = [*self._levels[-1].collection.readers] if self._levels else []
            names = ", ".join([*own, "any", "all", "count", "sum", "max", "min", *FUNCTIONS])
            raise self._refused(node, f"asks for what is not there; there are {names}")
        if len(arguments) != len(function.takes):
            raise self._refused(node, f"takes {function.shown}")
        answer = function.answer
        runs = tuple(self._of(part, type_).run for part, type_ in zip(arguments, function.takes, strict=True))
        return Compiled(
            function.gives, lambda moment, item: answer(moment.subject, *(run(moment, item) for run in runs))
        )

    def _collection(self, node: ast.expr, part: ast.expr) -> Level:
        name = part.id if isinstance(part, ast.Name) else ""
        if name not in COLLECTIONS:
            raise self._refused(node, f"begins with what is to be looked at: {', '.join(COLLECTIONS)}")
        if len(self._levels) >= QUANTIFIERS:
            raise self._refused(node, f"stands within {QUANTIFIERS} others, where no more may")
        return Level(COLLECTIONS[name], name)

    def _within(self, level: Level, part: ast.expr, type_: Type) -> Run:
        self._levels.append(level)
        try:
            return self._of(part, type_).run
        finally:
            self._levels.pop()

    def _quantifier(self, node: ast.expr, name: str, arguments: Sequence[ast.expr]) -> Compiled:
        allowed = (1, 2) if name == "count" else (2,)
        if len(arguments) not in allowed:
            raise self._refused(node, f"is written {name}(collection, condition)")
        level = self._collection(node, arguments[0])
        condition = self._within(level, arguments[1], Type.TRUTH) if len(arguments) == 2 else None
        fitting = matching(level, condition)
        if name == "any":
            return Compiled(Type.TRUTH, lambda moment, item: next(fitting(moment, item), NOTHING) is not NOTHING)
        if name == "count":
            return Compiled(Type.NUMBER, lambda moment, item: sum(1 for _ in fitting(moment, item)))
        if condition is None:
            raise self._refused(node, "is written all(collection, condition)")
        failing = matching(level, lambda moment, item: not condition(moment, item), kept=False)
        return Compiled(Type.TRUTH, lambda moment, item: next(failing(moment, item), NOTHING) is NOTHING)

    def _aggregate(self, node: ast.expr, name: str, arguments: Sequence[ast.expr]) -> Compiled:
        if len(arguments) not in (2, 3):
            raise self._refused(node, f"is written {name}(collection, number, condition); nothing found gives 0")
        level = self._collection(node, arguments[0])
        value = self._within(level, arguments[1], Type.NUMBER)
        condition = self._within(level, arguments[2], Type.TRUTH) if len(arguments) == 3 else None
        found = values(matching(level, condition), value)
        if name == "sum":
            return Compiled(Type.NUMBER, lambda moment, item: sum(found(moment, item)))
        pick = max if name == "max" else min
        return Compiled(Type.NUMBER, lambda moment, item: pick(found(moment, item), default=0))

    def _of(self, node: ast.expr, type_: Type) -> Compiled:
        found = self._single(node)
        if found.type is not type_:
            raise self._refused(node, f"is {with_article(found.type)} where {with_article(type_)} is needed")
        return found

    def _single(self, node: ast.expr) -> Compiled:
        found = self._node(node)
        if found.many:
            raise self._refused(node, "is a list; ask with `in`")
        return found

    def _refused(self, node: ast.expr, why: str) -> ExpressionError:
        return ExpressionError(f"`{shortened(self._source(node))}` {why}")

    def _source(self, node: ast.expr) -> str:
        return written(self._text[node.col_offset : node.end_col_offset])
