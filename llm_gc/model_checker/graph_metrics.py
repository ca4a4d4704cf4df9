"""What the graph of states tells as a whole: how often models change, and where there is no way to an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from llm_gc.model_checker.observations import ObservedEnd
from llm_gc.model_checker.search import Exploration, reached
from llm_gc.model_checker.simulator import StateNode

ENDS_ITSELF = ("turns_done", "end_step", "stop_token")
"""Reasons that the author has written down; all others are limits and failures."""


def switches(exploration: Exploration) -> tuple[int, int]:
    """Return how often the asked model changes, on the path with the fewest changes and on that with the most.

    People change no model.
    """
    nodes = exploration.nodes
    best, worst = [0] * len(nodes), [0] * len(nodes)
    for number in reversed(_order(nodes)):
        costs = []
        for other in nodes[number].next:
            if other < 0:
                costs.append((0, 0))
            elif other != number:
                changed = _changes(nodes[number], nodes[other])
                costs.append((best[other] + changed, worst[other] + changed))
        if costs:
            best[number] = min(cost for cost, _ in costs)
            worst[number] = max(cost for _, cost in costs)
    starts = [node.number for node in nodes if node.parent is None]
    return min((best[one] for one in starts), default=0), max((worst[one] for one in starts), default=0)


def _changes(node: StateNode, other: StateNode) -> int:
    return int(bool(node.model) and bool(other.model) and node.model != other.model)


def _order(nodes: list[StateNode]) -> list[int]:
    """Return the states so that each is before those that may come next."""
    done: list[int] = []
    state = [0] * len(nodes)  # 1: under way, 2: done
    for start in range(len(nodes)):
        stack = [start]
        while stack:
            number = stack[-1]
            if state[number] == 0:
                state[number] = 1
                stack += [other for other in nodes[number].next if other >= 0 and state[other] == 0]
            else:
                stack.pop()
                if state[number] == 1:
                    state[number] = 2
                    done.append(number)
    return done[::-1]


def endless(exploration: Exploration) -> tuple[StateNode, StateNode] | None:
    """Return the first state from which only a limit leads to an end, and one in the loop; None where there is none.

    States count as one here where they differ in nothing but what was counted; a loop reaches one again and again.
    """
    after: dict[int, set[int]] = defaultdict(set)
    before: dict[int, set[int]] = defaultdict(set)
    good: set[int] = set()
    for node in exploration.nodes:
        kind = exploration.standing[node.number]
        for other in node.next:
            if other >= 0:
                after[kind].add(exploration.standing[other])
                before[exploration.standing[other]].add(kind)
            elif _is_written(exploration.seen.order[-1 - other]):
                good.add(kind)
        if node.number not in exploration.full and not node.next:
            good.add(kind)  # it was not continued from: nothing is known of it
    trapped = set(exploration.standing) - reached(good, before)
    doomed = _going_round(trapped, after, before)
    nodes = [node for node in exploration.nodes if exploration.standing[node.number] in doomed]
    for node in nodes:
        kind = exploration.standing[node.number]
        if kind in reached(after[kind], after):
            return nodes[0], node
    return None


def _is_written(end: ObservedEnd) -> bool:
    """Return whether the author wrote an ending down, and something was said until then."""
    return end.reason in ENDS_ITSELF and end.failure is None


def _going_round(kinds: set[int], after: Mapping[int, set[int]], before: Mapping[int, set[int]]) -> set[int]:
    """Return those from which a way leads into a circle, where no way leads out of all of them."""
    left = {kind: len(after.get(kind, ())) for kind in kinds}
    over = [kind for kind, count in left.items() if not count]
    while over:
        kind = over.pop()
        del left[kind]
        for one in before.get(kind, set()) & left.keys():
            left[one] -= 1
            if not left[one]:
                over.append(one)
    return set(left)
