"""From the text of a rule file to checked rules; every error names file, line, part and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import Any, TypeVar

from gateway.decoding.keccak import keccak256
from gateway.inspection.rules.book import RuleBook, bind
from gateway.inspection.rules.compiler import compile_expression
from gateway.inspection.rules.expression import Compiled, ExpressionError, Names, constants, literal
from gateway.inspection.rules.manuscript import Manuscript, Path, RuleError, read_manuscripts
from gateway.inspection.rules.moment import Moment
from gateway.inspection.rules.rule import Rule, RuleMode, RuleStatus
from gateway.inspection.rules.scope import Scope
from gateway.inspection.rules.summary import read_summary
from gateway.inspection.rules.trial import Trial, read_trial
from gateway.inspection.rules.vocabulary import COLLECTIONS, FUNCTIONS, Type
from gateway.model.finding import Confidence, Severity
from gateway.model.primitive import Address

IDENTITY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""what the id of a rule looks like"""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SIGNATURE = re.compile(r"[A-Za-z_$][\w$]*\([\w,()\[\]]*\)")
_NEEDED = ("id", "title", "status", "severity", "confidence", "owner", "scope", "detection", "summary", "tests")
_OPTIONAL = (
    "description", "mode", "expires", "lists", "macros", "exceptions", "victim", "references", "false_positives",
)  # fmt: skip
_TAKEN = frozenset(
    {"true", "false", "coin", "outer", "any", "all", "count", "sum", "max", "min", "transaction", "result", "block"}
    | COLLECTIONS.keys()
    | FUNCTIONS.keys()
)
_Choice = TypeVar("_Choice", bound=Enum)


def read_rules(texts: Mapping[str, str]) -> RuleBook:
    """Check and compile the rules of some files (name -> text).

    Raises:
        RuleError: something in one of them is not right; or two rules have the same id.
    """
    rules: dict[str, Rule] = {}
    for source, text in texts.items():
        for manuscript in read_manuscripts(text, source):
            rule = _Author(manuscript).rule()
            if rule.id in rules:
                raise RuleError(f"{rule.source}: {rule.id} is also the id of {rules[rule.id].source}; rename one")
            rules[rule.id] = rule
    return bind(rules.values(), texts.values())


class _Author:
    """Reads one document."""

    def __init__(self, manuscript: Manuscript) -> None:
        self._manuscript = manuscript
        if not isinstance(manuscript.content, dict):
            raise manuscript.error((), "a rule is a mapping; begin with `stopgate rules new`")
        self._content: Mapping[str, Any] = manuscript.content

    def rule(self) -> Rule:
        """The rule, whole; raises RuleError."""
        self._has_parts((), self._content, _NEEDED, _OPTIONAL)
        status, mode = self._choice("status", RuleStatus), self._mode()
        if mode is RuleMode.ENFORCE and status is not RuleStatus.STABLE:
            raise self._error(
                ("mode",), f"a rule that is {status} may not enforce; watch it in shadow, then mark it stable"
            )
        identity = self._text("id")
        if not IDENTITY.fullmatch(identity):
            raise self._error(("id",), f"{identity} is no kebab-case id, as in vault-daily-exit")
        scope = self._scope()
        names = self._names(scope)
        selections, condition = self._detection(names)
        names = Names(names.lists, names.macros, selections)
        return Rule(
            id=identity,
            title=self._text("title"),
            status=status,
            mode=mode,
            severity=self._level("severity", Severity),
            confidence=self._level("confidence", Confidence),
            owner=self._text("owner"),
            scope=scope,
            expires=self._expiry(),
            selections=selections,
            condition=condition,
            exceptions=tuple(
                self._expression(("exceptions", number), text, names, Type.TRUTH)
                for number, text in enumerate(self._texts("exceptions"))
            ),
            summary=read_summary(self._manuscript, self._text("summary"), selections),
            victim=self._address(("victim",), self._content["victim"]) if "victim" in self._content else None,
            references=self._texts("references"),
            false_positives=self._texts("false_positives"),
            trials=self._trials(scope),
            source=self._manuscript.where(),
        )

    def _error(self, path: Path, why: str) -> RuleError:
        return self._manuscript.error(path, why)

    def _has_parts(self, path: Path, found: Mapping[str, Any], needed: Iterable[str], optional: Iterable[str]) -> None:
        known = {*needed, *optional}
        strange = next((name for name in found if name not in known), None)
        if strange is not None:
            raise self._error((*path, strange), f"is no part of a rule here; there are {', '.join(sorted(known))}")
        missing = [name for name in needed if name not in found]
        if missing:
            raise self._error(path, f"lacks {', '.join(missing)}")

    def _text(self, name: str) -> str:
        value = self._content[name]
        if not isinstance(value, str) or not value.strip():
            raise self._error((name,), "must be a text that is not empty")
        return " ".join(value.split())

    def _texts(self, name: str) -> tuple[str, ...]:
        value = self._content.get(name, [])
        if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
            raise self._error((name,), "must be a list of texts")
        return tuple(value)

    def _choice(self, name: str, kind: type[_Choice]) -> _Choice:
        try:
            return kind(self._content[name])
        except ValueError:
            choices = ", ".join(str(one.value) for one in kind)
            raise self._error((name,), f"is {self._content[name]!r}; it can be {choices}") from None

    def _mode(self) -> RuleMode:
        value = self._content.get("mode", RuleMode.SHADOW)
        if value is False:
            return RuleMode.OFF  # YAML 1.1 reads a bare `off` as a truth
        return self._choice("mode", RuleMode) if "mode" in self._content else RuleMode.SHADOW

    def _level(self, name: str, kind: type[_Choice]) -> _Choice:
        levels = {one.name.lower(): one for one in kind}
        value = self._content[name]
        if value not in levels:
            raise self._error((name,), f"is {value!r}; it can be {', '.join(levels)}")
        return levels[value]

    def _expiry(self) -> date | None:
        if "expires" not in self._content:
            return None
        try:
            return date.fromisoformat(str(self._content["expires"]))
        except ValueError:
            raise self._error(("expires",), "must be a day, as in 2027-06-30") from None

    def _scope(self) -> Scope:
        found = self._content["scope"]
        if not isinstance(found, dict):
            raise self._error(("scope",), "must name `contracts`, and may name `selectors` and `chains`")
        self._has_parts(("scope",), found, ("contracts",), ("selectors", "chains"))
        contracts = found["contracts"]
        if contracts != "any" and (not isinstance(contracts, list) or not contracts):
            raise self._error(("scope", "contracts"), "must be a list of addresses, or the word any")
        listed = [] if contracts == "any" else contracts
        chains = found.get("chains", [])
        if not isinstance(chains, list) or not all(isinstance(one, int) for one in chains):
            raise self._error(("scope", "chains"), "must be a list of chain ids, as in [10, 8453]")
        selectors = found.get("selectors", [])
        if not isinstance(selectors, list):
            raise self._error(("scope", "selectors"), "must be a list, as in [withdraw(uint256)]")
        return Scope(
            contracts=frozenset(self._address(("scope", "contracts", at), one) for at, one in enumerate(listed)),
            selectors=frozenset(self._selector(("scope", "selectors", at), one) for at, one in enumerate(selectors)),
            chains=frozenset(chains),
        )

    def _address(self, path: Path, value: Any) -> Address:
        found = literal(value) if isinstance(value, str) else None
        if found is None or found[0] is not Type.ADDRESS:
            raise self._error(path, f"{value!r} is no address: 0x and 40 hex digits")
        return Address(found[1])

    def _selector(self, path: Path, value: Any) -> bytes:
        if isinstance(value, str):
            found = literal(value)
            if found is not None and found[0] is Type.SELECTOR:
                return bytes(found[1])
            if _SIGNATURE.fullmatch(value):
                return keccak256(value.encode())[:4]
        raise self._error(path, f"{value!r} is no selector: 0x and 8 hex digits, or a signature without spaces")

    def _names(self, scope: Scope) -> Names:
        lists = {"contracts": constants(Type.ADDRESS, sorted(scope.contracts))}
        for name, values in self._own("lists").items():
            lists[name] = self._list(name, values)
        macros = {}
        for name, text in self._own("macros").items():
            if not isinstance(text, str):
                raise self._error(("macros", name), "must be an expression")
            if name in lists:
                raise self._error(("macros", name), "is also the name of a list; rename one")
            macros[name] = text
        return Names(lists, macros)

    def _own(self, part: str) -> Mapping[str, Any]:
        found = self._content.get(part, {})
        if not isinstance(found, dict):
            raise self._error((part,), "must be a mapping from names")
        for name in found:
            self._is_free((part, name), name)
        return found

    def _is_free(self, path: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise self._error(path, "is no name: small letters, digits and _")
        if name in _TAKEN or name == "contracts":
            raise self._error(path, "is a word of the language; choose another name")

    def _list(self, name: str, values: Any) -> Compiled:
        if not isinstance(values, list) or not values:
            raise self._error(("lists", name), "must be a list that is not empty")
        found: list[tuple[Type, Any]] = []
        for at, value in enumerate(values):
            known = literal(value) if isinstance(value, str) else None
            if isinstance(value, int) and not isinstance(value, bool):
                known = (Type.NUMBER, value)
            if known is None:
                raise self._error(("lists", name, at), f"{value!r} is no address, selector, 32 bytes or number")
            if found and known[0] is not found[0][0]:
                raise self._error(("lists", name, at), f"is of type {known[0]} in a list of {found[0][0]} values")
            found.append(known)
        return constants(found[0][0], [value for _, value in found])

    def _detection(self, names: Names) -> tuple[dict[str, Compiled], Compiled]:
        found = self._content["detection"]
        if not isinstance(found, dict) or "condition" not in found:
            raise self._error(("detection",), "must be a mapping of named parts with a `condition`")
        selections: dict[str, Compiled] = {}
        for name, text in found.items():
            if name == "condition":
                continue
            path: Path = ("detection", name)
            self._is_free(path, name)
            if name in names.lists or name in names.macros:
                raise self._error(path, "is also the name of a list or macro; rename one")
            part = self._expression(path, text, Names(names.lists, names.macros, selections))
            selections[name] = Compiled(part.type, _once(name, part))
        own = Names(names.lists, names.macros, selections)
        return selections, self._expression(("detection", "condition"), found["condition"], own, Type.TRUTH)

    def _expression(self, path: Path, text: Any, names: Names, type_: Type | None = None) -> Compiled:
        if isinstance(text, bool):
            text = str(text).lower()
        if not isinstance(text, str):
            raise self._error(path, "must be an expression")
        try:
            found = compile_expression(text, names)
        except ExpressionError as error:
            raise self._error(path, str(error)) from None
        if found.many:
            raise self._error(path, "is a list; put it below `lists`")
        if type_ is not None and found.type is not type_:
            raise self._error(path, f"gives a {found.type}; a {type_} is needed, true or false")
        return found

    def _trials(self, scope: Scope) -> tuple[Trial, ...]:
        found = self._content["tests"]
        if not isinstance(found, list):
            raise self._error(("tests",), "must be a list")
        trials = tuple(read_trial(self._manuscript, ("tests", at), one, scope) for at, one in enumerate(found))
        for wanted, words in ((True, "fires"), (False, "silent")):
            if not any(trial.fires is wanted for trial in trials):
                raise self._error(("tests",), f"has none that expects {words}; a rule shows both sides")
        return trials


def _once(name: str, part: Compiled) -> Callable[[Moment, Any], Any]:
    """Ask a selection once, wherever it is named."""

    def run(moment: Moment, item: Any) -> Any:
        if name not in moment.known:
            outer, moment.outer = moment.outer, None
            moment.known[name] = part.run(moment, None)
            moment.outer = outer
        return moment.known[name]

    return run


def failures(rules: Sequence[Rule]) -> list[str]:
    """What the rules' own tests show to be wrong, one line each; empty if all is well."""
    return [
        f"{rule.source}: {rule.id}: {why}" for rule in rules for trial in rule.trials if (why := rule.failure(trial))
    ]
