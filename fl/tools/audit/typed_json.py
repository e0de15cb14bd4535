"""Reads untrusted JSON into frozen dataclasses: the types of the fields decide what is accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda v: isinstance(v, bool)),
    int: ("a whole number", lambda v: type(v) is int),
    float: ("a number", lambda v: type(v) in (int, float)),
    str: ("a text", lambda v: isinstance(v, str)),
    NoneType: ("null", lambda v: v is None),
}


def read(kind: type[T], value: Any, where: str = "") -> T:
    """An object of this class from JSON. Raises ValueError that names the first field that is missing or has the wrong type."""
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the file'} is not an object")
    hints, given = get_type_hints(kind), {}
    for field in fields(kind):  # type: ignore[arg-type]  # every caller names a dataclass
        name = f"{where}.{field.name}" if where else field.name
        if field.name in value:
            given[field.name] = _value(hints[field.name], value[field.name], name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"it lacks {name!r}")
    return kind(**given)


def _value(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint in _PLAIN:
        wanted, fits = _PLAIN[hint]
        if not fits(value):
            raise ValueError(f"{where} is {str(value)[:80]!r}, not {wanted}")
        return value
    if is_dataclass(hint) and isinstance(hint, type):
        return read(hint, value, where)
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return None if value is None else _value(next(h for h in inner if h is not NoneType), value, where)
    if kind is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where} is {str(value)[:80]!r}, not a list")
        if inner[-1] is not Ellipsis:
            if len(value) != len(inner):
                raise ValueError(f"{where} has {len(value)} parts, not {len(inner)}")
            return tuple(_value(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(inner, value, strict=True)))
        return tuple(_value(inner[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if kind is Mapping or kind is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {str(value)[:80]!r}, not an object")
        return {_key(inner[0], k, where): _value(inner[1], v, f"{where}.{k}") for k, v in value.items()}
    raise TypeError(f"no JSON is read as {hint}")


def _key(hint: Any, key: str, where: str) -> Any:
    if hint is int:
        if not key.isdecimal():
            raise ValueError(f"{where} has the key {key[:80]!r}, which is not a number")
        return int(key)
    return key
