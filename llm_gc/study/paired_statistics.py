"""What the grades of two recipes over the same tasks allow to say, on the standard library alone.

The unit is the task: its repeats are averaged first, so that asking more often about one task is never taken for more
tasks. Chance is seeded, so a report says the same whenever it is made again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from statistics import NormalDist, fmean, stdev
from typing import Literal

LEVEL = 0.95
"""How often an interval holds the truth."""

POWER = 0.8
"""How likely a difference is found that counts as one that could be shown."""

RESAMPLES = 10_000
MAX_DRAWS = 5_000_000
"""The most draws for one interval or test: more tasks need fewer resamples."""

MAX_EXACT = 16
"""Up to so many tasks that differ, each of their sign patterns is tried."""

FEWEST_DIFFERING = 6
"""From so many tasks on that all differ one way, an exact test finds a difference (p = 0.03)."""

Interval = tuple[float, float]


def mean_interval(means: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Interval:
    """Return the interval of a mean grade, from the mean grade of each task.

    It is Wilson's where each grade is right or wrong, else that of the bootstrap over tasks.
    """
    if not _is_binary(means):
        return bootstrap_interval(means, seed, resamples)
    z, n, p = -NormalDist().inv_cdf((1 - LEVEL) / 2), len(means), fmean(means)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max((middle - half) / (1 + z * z / n), 0.0), min((middle + half) / (1 + z * z / n), 1.0)


def difference_interval(first: Sequence[float], second: Sequence[float], seed: int, n: int = RESAMPLES) -> Interval:
    """Return the interval of the mean of ``first - second``, paired by task, from ``n`` resamples of the tasks."""
    return bootstrap_interval(_supposed(_differences(first, second)), seed, n)


def bootstrap_interval(values: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Interval:
    """Return the interval of a mean by the percentile bootstrap.

    Its two percentiles are as far out as Student's t is on a normal distribution: that makes up for a sample's spread
    being too small on average, and for its not being known.
    """
    n = len(values)
    resamples = min(resamples, max(MAX_DRAWS // n, 200))
    chance = Random(seed)
    means = sorted(fmean(chance.choices(values, k=n)) for _ in range(resamples))
    tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * t_quantile((1 + LEVEL) / 2, n - 1))
    return _percentile(means, tail), _percentile(means, 1 - tail)


def mcnemar(wins: int, losses: int, *, mid: bool = True) -> float:
    """Return the two-sided p of McNemar's test on the tasks that one recipe alone had right; exact, or its mid-p."""
    n, fewer = wins + losses, min(wins, losses)
    term = below = 1
    for k in range(1, fewer + 1):
        term = term * (n - k + 1) // k
        below += term
    both = 2 * below - (term if mid else 0)
    return min(both / (1 << n), 1.0)


def permutation(differences: Sequence[float], seed: int, resamples: int = RESAMPLES) -> float:
    """Return the two-sided p of a mean difference under random signs; exact where few tasks differ."""
    given = [abs(d) for d in differences if d]
    reached = abs(math.fsum(differences)) * (1 - 1e-12) - 1e-12
    if len(given) <= MAX_EXACT:
        sums = [0.0]
        for size in given:
            sums = [total + step for total in sums for step in (size, -size)]
        return sum(abs(total) >= reached for total in sums) / len(sums)
    resamples = min(resamples, max(MAX_DRAWS // len(given), 200))
    chance, whole = Random(seed), math.fsum(given)
    found = 0
    for _ in range(resamples):
        bits = chance.getrandbits(len(given))
        found += abs(2 * sum(size for i, size in enumerate(given) if bits >> i & 1) - whole) >= reached
    return (found + 1) / (resamples + 1)


def p_value(first: Sequence[float], second: Sequence[float], seed: int) -> float:
    """Return the p of no difference: McNemar's mid-p where each grade is right or wrong, else by permutation."""
    differences = _differences(first, second)
    if _is_binary([*first, *second]):
        return mcnemar(differences.count(1), differences.count(-1))
    return permutation(differences, seed)


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p of each of several tests, adjusted by Holm for there being several, in their order."""
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = adjusted[index] = max(least, min(ps[index] * (len(ps) - rank), 1.0))
    return adjusted


def smallest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the difference that so many tasks show in 80 % of studies, where tasks differ as much as here."""
    return _reach() * _spread(first, second) / math.sqrt(len(first))


def tasks_needed(first: Sequence[float], second: Sequence[float], difference: float) -> int:
    """Return how many tasks show a ``difference`` in 80 % of studies, where tasks differ as much as here."""
    return max(math.ceil((_reach() * _spread(first, second) / difference) ** 2), 2)


Verdict = Literal["better", "worse", "no more than X apart", "too few tasks"]


def verdict(interval: Interval, margin: float, p: float | None = None) -> Verdict:
    """Return what an interval of the difference says about the first of two recipes.

    ``p`` is Holm's where more than two recipes are compared: with many pairs, some interval excludes 0 by chance.
    """
    low, high = interval
    if -margin <= low and high <= margin:
        return "no more than X apart"
    if low <= 0 <= high or (p is not None and p > 1 - LEVEL):
        return "too few tasks"
    return "better" if low > 0 else "worse"


def t_quantile(p: float, freedom: int) -> float:
    """Return the quantile of Student's t above the median, by halving; its distribution is a finite sum."""
    low, high = 0.0, 1e9
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _t_within(middle, freedom) < 2 * p - 1 else (low, middle)
    return middle


def _t_within(t: float, freedom: int) -> float:
    """Return how much of Student's t is between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = total = 0.0 if freedom == 1 else math.cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def _is_binary(means: Sequence[float]) -> bool:
    return all(mean in (0, 1) for mean in means)


def _reach() -> float:
    """Return how many standard errors away a difference is that is found as often as ``POWER`` says."""
    normal = NormalDist()
    return normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)


def _spread(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the standard deviation of the differences."""
    return stdev(_supposed(_differences(first, second)))


def _supposed(differences: list[float]) -> list[float]:
    """Return the differences; where too few tasks differ to show anything, with two tasks more, one each way.

    Ten ties out of ten do not show that two recipes are equal: after 50 ties a difference of 0.06 is still possible.
    """
    sizes = [abs(difference) for difference in differences if difference]
    if len(sizes) >= FEWEST_DIFFERING:
        return differences
    most = max(sizes, default=1.0)
    return [*differences, most, -most]


def _percentile(ordered: Sequence[float], part: float) -> float:
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
