"""What stands in the lines of a table, kept by column: an object for each line takes five times the memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_BLOCK = 1000  # lines that are taken apart together: one by one, that takes as long as reading them


class Lines(Generic[T]):
    """Lines by their numbers, each put together out of its values when it is looked at.

    ``columns`` are lists by name, of one length, in the order of ``numbers``; ``made`` makes what is looked at of the
    names and values of a line.

    >>> lines = Lines(["risk_id", "likelihood"], dict)
    >>> lines.extend([(7, ["R1", 3])])
    >>> lines[7], lines.columns["likelihood"]
    ({'risk_id': 'R1', 'likelihood': 3}, [3])
    """

    def __init__(self, names: Iterable[str], made: Callable[[Iterable[tuple[str, Any]]], T]) -> None:
        self.numbers, self._made = array("q"), made
        self.columns: dict[str, list[Any]] = {name: [] for name in names}

    def extend(self, lines: Iterable[tuple[int, Iterable[Any]]]) -> None:
        """Further lines by number; their values in the order of the columns."""
        lines = iter(lines)
        while block := list(islice(lines, _BLOCK)):
            self.numbers.extend(line for line, _ in block)
            for column, values in zip(self.columns.values(), zip(*(row for _, row in block), strict=True), strict=True):
                column.extend(values)

    def put(self, line: int, column: str, value: object) -> None:
        """Another value for a line in a column."""
        self.columns[column][self._places[line]] = value

    def share(self, other: Lines[Any]) -> None:
        """Have one list for what is the same in both."""
        self.numbers = other.numbers if self.numbers == other.numbers else self.numbers
        self.columns |= {name: column for name, column in other.columns.items() if self.columns[name] == column}

    def made(self, values: Iterable[Any]) -> T:
        """A line of its values."""
        return self._made(zip(self.columns, values, strict=True))

    def values(self) -> Iterator[T]:
        """What stands in each line."""
        return map(self.made, zip(*self.columns.values(), strict=True))

    def items(self) -> Iterator[tuple[int, T]]:
        """The same with the lines' numbers."""
        return zip(self.numbers, self.values(), strict=True)

    def each(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Each line's number, and its values in some columns."""
        return zip(self.numbers, *(self.columns[name] for name in names), strict=True)

    def get(self, line: int) -> T | None:
        """What stands in a line, if there is one of that number."""
        return self[line] if line in self._places else None

    def __getitem__(self, line: int) -> T:
        place = self._places[line]
        return self.made([column[place] for column in self.columns.values()])

    def __contains__(self, line: int) -> bool:
        return line in self._places

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def _places(self) -> dict[int, int]:
        """Made where single lines are looked up, which is seldom: what is right in a long table is never."""
        return {line: place for place, line in enumerate(self.numbers)}
