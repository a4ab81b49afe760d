"""Shapley values by their definition: every order in which the players can come, one after the other."""

from collections.abc import Callable
from itertools import permutations


def shapley(worth: Callable[[frozenset[int]], float], players: int) -> list[float]:
    """Mean of what each player adds to those who came before."""
    total = [0.0] * players
    orders = list(permutations(range(players)))
    for order in orders:
        there: frozenset[int] = frozenset()
        for player in order:
            total[player] += worth(there | {player}) - worth(there)
            there = there | {player}
    return [value / len(orders) for value in total]
