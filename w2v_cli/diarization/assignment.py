"""The pairing of rows and columns that costs least: the Hungarian algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def cheapest_pairs(cost: npt.NDArray[Any]) -> list[int]:
    """Return the column of each row: each another one, and together the cheapest.

    Kuhn (1955) with potentials, as Jonker and Volgenant (1987) find the shortest paths.

    Args:
        cost: (rows, columns), finite, with no more rows than columns.

    Raises:
        ValueError: There are more rows than columns.

    >>> cheapest_pairs(np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]]))
    [1, 0, 2]
    """
    n_rows, n_columns = cost.shape
    if n_rows > n_columns:
        raise ValueError(f"{n_rows} rows need as many columns, and there are {n_columns}")
    of_row, of_column = np.zeros(n_rows), np.zeros(n_columns + 1)
    # The last column is where each new row starts from; it belongs to no pair.
    row_at = np.full(n_columns + 1, -1)
    for row in range(n_rows):
        row_at[n_columns] = row
        column = n_columns
        distance = np.full(n_columns, np.inf)
        before = np.full(n_columns, n_columns)
        visited = np.zeros(n_columns + 1, dtype=bool)
        while row_at[column] >= 0:
            visited[column] = True
            here = row_at[column]
            reduced = cost[here] - of_row[here] - of_column[:n_columns]
            nearer = ~visited[:n_columns] & (reduced < distance)
            distance[nearer], before[nearer] = reduced[nearer], column
            nearest = int(np.argmin(np.where(visited[:n_columns], np.inf, distance)))
            step = distance[nearest]
            of_row[row_at[visited]] += step
            of_column[visited] -= step
            distance[~visited[:n_columns]] -= step
            column = nearest
        while column != n_columns:  # each pair along the path moves on by one
            row_at[column] = row_at[before[column]]
            column = int(before[column])
    pairs = {int(row): column for column, row in enumerate(row_at[:n_columns]) if row >= 0}
    return [pairs[row] for row in range(n_rows)]
