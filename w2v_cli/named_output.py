"""A dataclass that is a dictionary of its fields as well, as the published outputs are."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar


class NamedOutput(OrderedDict[str, Any]):
    """The base of dataclasses whose fields are keys, too; fields that are None are no keys."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        self.clear()
        for name, value in values.items():
            setattr(self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if value is not None and name in self.__dataclass_fields__:
            super().__setitem__(name, value)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields that are not None, in their order."""
        return tuple(self[name] for name in self)
