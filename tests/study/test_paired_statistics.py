"""What grades allow to say: held against scipy, against simulated studies, and against known edges."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest
from scipy import stats

from llm_gc.study.paired_statistics import (
    bootstrap_interval,
    difference_interval,
    holm,
    mcnemar,
    mean_interval,
    p_value,
    permutation,
    smallest_difference,
    t_quantile,
    tasks_needed,
    verdict,
)

CLOSE = 1e-9

COUNTS = [(0, 0), (1, 0), (3, 3), (5, 1), (2, 11), (40, 60), (700, 800), (3000, 1)]


@pytest.mark.parametrize(("wins", "losses"), COUNTS)
def test_mcnemar_agrees_with_scipy(wins: int, losses: int) -> None:
    """The exact test is the binomial one; the mid-p takes half of the probability of what was seen off either side."""
    n, fewer = wins + losses, min(wins, losses)
    exact = stats.binomtest(wins, n, 0.5).pvalue if n else 1.0
    assert mcnemar(wins, losses, mid=False) == pytest.approx(exact, abs=CLOSE)
    mid = min(2 * stats.binom.cdf(fewer, n, 0.5) - stats.binom.pmf(fewer, n, 0.5), 1.0)
    assert mcnemar(wins, losses) == pytest.approx(mid, abs=CLOSE)


@pytest.mark.parametrize("size", [2, 5, 11])
def test_an_exact_permutation_test_agrees_with_scipy(size: int) -> None:
    """Ties and equal sizes are counted as scipy counts them."""
    chance = np.random.default_rng(size)
    for _ in range(5):
        first, second = chance.random(size).round(1), chance.random(size).round(1)
        theirs = stats.permutation_test(
            (first, second), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples", vectorized=True
        ).pvalue
        assert permutation([float(d) for d in first - second], 0) == pytest.approx(theirs, abs=CLOSE)


def test_a_permutation_test_of_many_tasks_is_close_to_the_exact_one() -> None:
    """Drawn signs give nearly the same, and the same each time."""
    chance = np.random.default_rng(7)
    differences = [float(d) for d in chance.normal(0.1, 0.4, 60)]
    theirs = stats.permutation_test(
        (differences, [0.0] * 60), lambda a, b, axis: np.mean(a, axis=axis) - np.mean(b, axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=20_000, rng=np.random.default_rng(1),
    ).pvalue  # fmt: skip
    assert permutation(differences, 0) == pytest.approx(theirs, abs=0.015)
    assert permutation(differences, 0) == permutation(differences, 0)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 30, 49, 1000])
@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.999])
def test_students_quantiles_agree_with_scipy(p: float, freedom: int) -> None:
    """For odd and even degrees of freedom, and for a single one."""
    assert t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=CLOSE)


@pytest.mark.parametrize(("right", "tasks"), [(0, 2), (3, 10), (50, 50), (17, 200)])
def test_the_interval_of_right_answers_agrees_with_scipy(right: int, tasks: int) -> None:
    """Wilson's interval, also where all are right or none."""
    theirs = stats.binomtest(right, tasks).proportion_ci(0.95, "wilson")
    ours = mean_interval([1.0] * right + [0.0] * (tasks - right), 0)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=CLOSE)


def test_holm_agrees_with_the_step_down_procedure() -> None:
    """Rejecting what is adjusted below alpha is stepping down."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    ps = [0.001, 0.2, 0.04, 0.011, 0.011]
    adjusted = holm(ps)
    for alpha in (0.01, 0.05, 0.1, 0.2):
        rejected = {i for i in range(5) if adjusted[i] <= alpha}
        stepped, left = set[int](), 5
        for i in sorted(range(5), key=ps.__getitem__):
            if ps[i] > alpha / left:
                break
            stepped.add(i)
            left -= 1
        assert rejected == stepped


def test_a_bootstrap_of_many_tasks_is_close_to_students_interval() -> None:
    """On normal values both say the same; the seed says which resamples are drawn."""
    values = [float(value) for value in np.random.default_rng(3).normal(2, 1, 80)]
    theirs = stats.t.interval(0.95, 79, loc=fmean(values), scale=stats.sem(values))
    assert bootstrap_interval(values, 0) == pytest.approx(theirs, abs=0.02)
    assert bootstrap_interval(values, 0) == bootstrap_interval(values, 0) != bootstrap_interval(values, 1)


def test_ties_alone_do_not_show_that_recipes_are_equal() -> None:
    """Five ties prove little, sixty prove something."""
    few, many = [1.0] * 5, [1.0] * 60
    assert verdict(difference_interval(few, few, 0), 0.1) == "too few tasks"
    low, high = difference_interval(many, many, 0)
    assert low < 0 < high <= 0.07
    assert verdict((low, high), 0.1) == "no more than X apart"
    assert smallest_difference(many, many) > 0
    scores = [0.5] * 5
    assert verdict(difference_interval(scores, scores, 0), 0.1) == "too few tasks"


@pytest.mark.parametrize(
    ("interval", "p", "said"),
    [
        ((-0.05, 0.08), None, "no more than X apart"),
        ((0.02, 0.09), None, "no more than X apart"),
        ((0.02, 0.3), None, "better"),
        ((-0.3, -0.02), None, "worse"),
        ((-0.3, 0.02), None, "too few tasks"),
        ((0.0, 0.3), None, "too few tasks"),
        ((0.02, 0.3), 0.01, "better"),
        ((0.02, 0.3), 0.09, "too few tasks"),
    ],
)
def test_verdicts_follow_from_the_interval_and_the_margin(
    interval: tuple[float, float], p: float | None, said: str
) -> None:
    """An interval inside the margin is looked at first, chance among many pairs last."""
    assert verdict(interval, 0.1, p) == said


def test_repeats_of_a_task_are_not_taken_for_tasks() -> None:
    """What counts is how many tasks there are."""
    assert p_value([1.0, 0.5], [0.0, 0.0], 0) == 0.5  # two tasks, however often each was asked
    assert p_value([1.0, 1.0], [0.0, 1.0], 0) == mcnemar(1, 0)


# --- Simulated studies

Grades = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def _answers(first: float, second: float, shared: float) -> Grades:
    """Return what draws right and wrong answers; a ``shared`` part of the tasks is as hard for both."""

    def draw(chance: np.random.Generator, tasks: int) -> tuple[np.ndarray, np.ndarray]:
        both = chance.random(tasks) < shared
        one, other = chance.random(tasks), chance.random(tasks)
        return (one < first).astype(float), (np.where(both, one, other) < second).astype(float)

    return draw


def _scores(shift: float) -> Grades:
    def draw(chance: np.random.Generator, tasks: int) -> tuple[np.ndarray, np.ndarray]:
        hard = chance.random(tasks) * 0.4
        return hard + chance.beta(2, 1, tasks) * 0.6 + shift, hard + chance.beta(2, 1, tasks) * 0.6

    return draw


def _repeated(p: float) -> Grades:
    """Return what draws the means of three answers; tasks differ in how hard they are."""

    def draw(chance: np.random.Generator, tasks: int) -> tuple[np.ndarray, np.ndarray]:
        hard = chance.beta(2 * p, 2 * (1 - p), tasks)
        return chance.binomial(3, hard) / 3, chance.binomial(3, hard) / 3

    return draw


def _intervals(draw: Grades, tasks: int, studies: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    pairs = (draw(chance, tasks) for _ in range(studies))
    return np.array([difference_interval(a.tolist(), b.tolist(), i, 500) for i, (a, b) in enumerate(pairs)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "tasks"),
    [(_answers(0.5, 0.5, 0.3), 50), (_answers(0.8, 0.8, 0.3), 50), (_scores(0), 50), (_repeated(0.6), 50)],
    ids=["answers", "easy answers", "scores", "repeats"],
)
def test_two_copies_of_one_recipe_seldom_seem_to_differ(draw: Grades, tasks: int) -> None:
    """A wrong verdict in at most 6 of 100 studies, and the interval holds 0 in 93 to 97 of them."""
    intervals = _intervals(draw, tasks, 2000, seed=tasks)
    said = [verdict((low, high), 0.02) for low, high in intervals]
    assert sum(word in ("better", "worse") for word in said) <= 0.06 * len(said)
    covered = np.mean((intervals[:, 0] <= 1e-9) & (intervals[:, 1] >= -1e-9))
    assert 0.93 <= covered <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "planted"),
    [(_answers(0.7, 0.5, 0.0), 0.2), (_answers(0.9, 0.75, 0.5), 0.15), (_scores(0.1), 0.1)],
    ids=["answers", "paired answers", "scores"],
)
def test_planted_differences_are_found_as_often_as_computed(draw: Grades, planted: float) -> None:
    """With as many tasks as are said to be needed, four studies of five find the difference."""
    first, second = draw(np.random.default_rng(1), 4000)
    tasks = tasks_needed(first.tolist(), second.tolist(), planted)
    assert smallest_difference(first[:tasks].tolist(), second[:tasks].tolist()) == pytest.approx(planted, rel=0.5)
    intervals = _intervals(draw, tasks, 1000, seed=5)
    covered = np.mean((intervals[:, 0] <= planted + 1e-9) & (intervals[:, 1] >= planted - 1e-9))
    assert 0.92 <= covered <= 0.98
    said = [verdict((low, high), 0.02) for low, high in intervals]
    assert said.count("better") / len(said) == pytest.approx(0.8, abs=0.06)
    assert said.count("worse") == 0
