"""What metric math means, including what surprises people.

- Between two series, a missing point counts as 0; a division by zero drops the point.
- `IF(c, a[, b])` has points where the condition has them. Where `a` is chosen but has no
  point it gives 0, not a gap; a false condition without `b`, or where it has no point,
  gives a gap.
- `FILL(m, n | REPEAT)` fills every period of the requested range, the newest included.
  For a series with no point at all AWS documents nothing: we fill it with n too, while
  REPEAT has nothing to repeat.
- `SUM`, `AVG`, `MIN`, `MAX` of one series is a number, of an array a series.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.cloud.cloudwatch.errors import CloudWatchError, validation_error
from sandbox.cloud.cloudwatch.expression import Array, Binary, Call, Name, Node, Number, Text, parse
from sandbox.cloud.cloudwatch.reading import Points

Value = float | Points | list[Points]


def _divide(left: float, right: float) -> float:
    return left / right if right else math.nan


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except (ValueError, OverflowError):
        return math.nan


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "^": _power,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: bool(left) and bool(right),
    "AND": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
    "OR": lambda left, right: bool(left) or bool(right),
}
_REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


@dataclass(frozen=True)
class Scope:
    """What an expression can see: other queries by id, and the periods of the range."""

    series: Mapping[str, Points]
    grid: Sequence[float]


def compute(expression: str, scope: Scope) -> Points:
    """The series that an expression yields; ValidationError if it yields none."""
    value = _evaluate(parse(expression), scope)
    if not isinstance(value, dict):
        raise validation_error(
            f"Error in expression '{expression}': the result must be a time series."
        )
    return value


def _evaluate(node: Node, scope: Scope) -> Value:
    match node:
        case Number(value):
            return value
        case Name(text):
            if text not in scope.series:
                raise validation_error(f"Error in expression: unknown identifier '{text}'.")
            return scope.series[text]
        case Array(items):
            return [_series(_evaluate(item, scope)) for item in items]
        case Binary(sign, left, right):
            return _combine(_OPERATORS[sign], _evaluate(left, scope), _evaluate(right, scope))
        case Call(function, arguments):
            return _call(function, arguments, scope)
    raise validation_error("Error in expression: a string is not a value.")


def _combine(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list) or isinstance(right, list):
        raise validation_error("Error in expression: arrays cannot be operands.")
    if not isinstance(left, dict) and not isinstance(right, dict):
        return float(function(left, right))
    if not isinstance(left, dict):
        return _finite({at: function(left, value) for at, value in _series(right).items()})
    if not isinstance(right, dict):
        return _finite({at: function(value, right) for at, value in left.items()})
    times = sorted(left.keys() | right.keys())
    return _finite({at: function(left.get(at, 0.0), right.get(at, 0.0)) for at in times})


def _call(function: str, arguments: tuple[Node, ...], scope: Scope) -> Value:
    count = len(arguments)
    if function == "IF" and count in (2, 3):
        return _if([_evaluate(argument, scope) for argument in arguments])
    if function == "FILL" and count == 2:
        return _fill(_series(_evaluate(arguments[0], scope)), arguments[1], scope)
    if function == "METRICS" and count <= 1:
        wanted = arguments[0].text if arguments and isinstance(arguments[0], Text) else ""
        return [points for name, points in scope.series.items() if wanted in name]
    if function == "TIME_SERIES" and count == 1:
        return dict.fromkeys(scope.grid, _number(_evaluate(arguments[0], scope)))
    if function in _REDUCERS and count == 1:
        return _reduce(_REDUCERS[function], _evaluate(arguments[0], scope))
    if function in _EACH and count == 1:
        each = _EACH[function]
        return _combine(lambda value, _: each(value), _evaluate(arguments[0], scope), 0.0)
    raise _unsupported(function, count)


def _unsupported(function: str, count: int) -> CloudWatchError:
    return validation_error(
        f"Error in expression: the function {function} with {count} arguments is not supported."
    )


def _if(arguments: list[Value]) -> Value:
    condition, chosen = arguments[0], arguments[1]
    other = arguments[2] if len(arguments) == 3 else None
    if not isinstance(condition, dict):
        if _number(condition):
            return chosen
        return {} if other is None else other
    result: Points = {}
    for at, truth in condition.items():
        if truth:
            result[at] = chosen.get(at, 0.0) if isinstance(chosen, dict) else _number(chosen)
        elif isinstance(other, dict):
            result |= {at: other[at]} if at in other else {}
        elif other is not None:
            result[at] = _number(other)
    return result


def _fill(points: Points, filler: Node, scope: Scope) -> Points:
    if isinstance(filler, Name) and filler.text.upper() == "REPEAT":
        filled: Points = {}
        last: float | None = None
        for at in sorted({*scope.grid, *points}):
            last = points.get(at, last)
            if last is not None:
                filled[at] = last
        return filled
    value = _number(_evaluate(filler, scope))
    return {at: points.get(at, value) for at in sorted({*scope.grid, *points})}


def _reduce(reducer: Callable[[Sequence[float]], float], value: Value) -> Value:
    if isinstance(value, list):
        times = sorted({at for points in value for at in points})
        return {at: float(reducer([p[at] for p in value if at in p])) for at in times}
    points = _series(value)
    return float(reducer(list(points.values()))) if points else {}


def _finite(points: Points) -> Points:
    return {at: float(value) for at, value in points.items() if math.isfinite(value)}


def _series(value: Value) -> Points:
    if not isinstance(value, dict):
        raise validation_error("Error in expression: a time series is needed here.")
    return value


def _number(value: Value) -> float:
    if isinstance(value, dict | list):
        raise validation_error("Error in expression: a number is needed here.")
    return value
