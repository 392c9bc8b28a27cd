"""Laws of what is best and of what is kept, over all small cases."""

from collections.abc import Iterator
from itertools import combinations, pairwise, permutations, product
from math import inf, isnan, nan

import pytest

from tenuto.conformance_tests.oracle.model import ranking, retention
from tenuto.conformance_tests.oracle.model.ranking import Entry
from tenuto.conformance_tests.oracle.model.retention import Policy, Stored, keep_all, keep_last

Values = tuple[float | None, ...]
Lists = list[tuple[Entry, ...]]

A, B, DELTA = 1.0, 2.0, 0.5
ALPHABET: Values = (A, B, nan, None)
MODES, SLOTS, DELTAS = ("min", "max"), (1, 2, 3), (0.0, DELTA, 1.0)
SPACE = [values for length in range(1, 6) for values in product(ALPHABET, repeat=length)]
SETTINGS = list(product(MODES, SLOTS, DELTAS))


def lists(values: Values, mode: str, slots: int, min_delta: float) -> Lists:
    """The best list after each epoch; None is an epoch without the metric."""
    found: Lists = [()]
    for epoch, value in enumerate(values, start=1):
        before = found[-1]
        new = Entry(value, epoch, epoch) if value is not None else None
        found.append(before if new is None else ranking.admit(before, new, mode, slots, min_delta))
    return found


def epochs(entries: tuple[Entry, ...]) -> list[int]:
    return [one.epoch for one in entries]


def all_lists() -> Iterator[tuple[Values, str, int, float, Lists]]:
    """The whole space with what the lists are."""
    for mode, slots, min_delta in SETTINGS:
        for values in SPACE:
            yield values, mode, slots, min_delta, lists(values, mode, slots, min_delta)


def test_the_greatest_of_negated_values_are_the_least() -> None:
    for slots, min_delta in product(SLOTS, DELTAS):
        for values in SPACE:
            negated = tuple(None if one is None else -one for one in values)
            least, greatest = (lists(values, "min", slots, min_delta), lists(negated, "max", slots, min_delta))
            assert list(map(epochs, least)) == list(map(epochs, greatest)), (values, slots, min_delta)


def test_a_list_holds_the_values_that_fewer_than_k_others_beat() -> None:
    """With K > 1; of equal values the earlier one beats the later."""
    for values, mode, slots, _, found in all_lists():
        if slots == 1:
            continue
        sign = 1.0 if mode == "min" else -1.0
        keys = [(sign * one, at) for at, one in enumerate(values, start=1) if one is not None and not isnan(one)]
        beaten = {at: sum(other < (key, at) for other in keys) for key, at in keys}
        expected = sorted((at for at in beaten if beaten[at] < slots), key=beaten.__getitem__)
        assert epochs(found[-1]) == expected, (values, mode, slots)


def test_with_one_slot_each_best_beats_the_one_before_by_more_than_the_least_difference() -> None:
    for values, mode, slots, min_delta, found in all_lists():
        if slots > 1:
            continue
        firsts = [entries[0] for entries in found if entries]
        for before, after in pairwise(firsts):
            gain = before.value - after.value if mode == "min" else after.value - before.value
            assert after is before or gain > min_delta, (values, mode, min_delta)
        numbers = [one for one in values if one is not None and not isnan(one)]
        best = (min if mode == "min" else max)(numbers, default=nan)
        assert not numbers or abs(firsts[-1].value - best) <= min_delta, (values, mode, min_delta)


def test_nan_and_missing_values_are_as_if_they_had_not_been() -> None:
    for values, mode, slots, min_delta, found in all_lists():
        numbers = [(one, at) for at, one in enumerate(values, start=1) if one is not None and not isnan(one)]
        alone = lists(tuple(one for one, _ in numbers), mode, slots, min_delta)[-1]
        assert epochs(found[-1]) == [numbers[epoch - 1][1] for epoch in epochs(alone)], values


def test_a_list_without_numbers_is_empty() -> None:
    for values, *_, found in all_lists():
        if all(one is None or isnan(one) for one in values):
            assert found[-1] == ()


def test_the_order_of_what_is_worse_does_not_change_rank_1() -> None:
    worse = (3.0, 4.0, 5.0, inf, nan)
    for slots, at in product(SLOTS, range(len(worse) + 1)):
        for order in permutations(worse):
            values = (*order[:at], 1.0, *order[at:])
            assert lists(values, "min", slots, 0.0)[-1][0].value == 1.0


def test_rank_1_leaves_only_for_a_better_value() -> None:
    for values, mode, *_, found in all_lists():
        for before, after in pairwise(found):
            if before and after[0] is not before[0]:
                ahead, behind = (after[0], before[0]) if mode == "min" else (before[0], after[0])
                assert ahead.value < behind.value, values


def test_a_list_has_at_most_k_entries_and_changes_by_one_at_a_time() -> None:
    for values, _, slots, _, found in all_lists():
        for before, after in pairwise(found):
            assert len(after) <= slots
            assert len(set(after) - set(before)) <= 1, values
            assert len(after) >= len(before), values


def test_a_slot_more_keeps_what_was_kept() -> None:
    for mode, values in product(MODES, SPACE):
        two, three, all_ = (set(epochs(lists(values, mode, slots, 0.0)[-1])) for slots in (2, 3, 9))
        assert two <= three <= all_
        assert len(all_) == sum(one is not None and not isnan(one) for one in values), "room for all keeps all"


def test_with_more_slots_than_one_the_least_difference_is_not_looked_at() -> None:
    for mode, slots, values in product(MODES, (2, 3), SPACE):
        assert lists(values, mode, slots, 0.0) == lists(values, mode, slots, DELTA)


def test_a_state_enters_once() -> None:
    for mode, slots, first, second in product(MODES, SLOTS, (A, B), (A, B)):
        once = ranking.admit((), Entry(first, 1, 1), mode, slots, 0.0)
        assert ranking.admit(once, Entry(second, 1, 1), mode, slots, 0.0) == once
        later = ranking.admit(once, Entry(second, 1, 2), mode, slots, 0.0)
        assert len(later) == min(2, slots), "of another step it is another state"


def test_zeros_are_equal_and_infinities_are_values() -> None:
    assert epochs(lists((0.0, -0.0), "min", 1, 0.0)[-1]) == [1]
    assert epochs(lists((-0.0, 0.0), "max", 2, 0.0)[-1]) == [1, 2]
    assert epochs(lists((inf, -inf, inf), "max", 3, 0.0)[-1]) == [1, 3, 2]
    assert epochs(lists((inf, 1.0, -inf), "min", 1, 0.1)[-1]) == [3]
    assert epochs(lists((inf, inf), "max", 1, 0.0)[-1]) == [1]


# What is kept.

KINDS = ("periodic", "manual", "exception", "foreign", "parent")


def stored(kinds: tuple[str, ...]) -> list[Stored]:
    """One checkpoint for each epoch, oldest first, and the periodic one that was saved last."""
    reasons = {"manual": ("manual",), "exception": ("exception",)}
    return [
        Stored(
            f"e{epoch}",
            1,
            (epoch, 0, epoch),
            reasons.get(kind, ("periodic",)),
            places=(epoch % 3 if epoch % 2 else None,),
            is_parent=kind == "parent",
            is_foreign=kind == "foreign",
        )
        for epoch, kind in enumerate((*kinds, "periodic"), start=1)
    ]


FOLDERS = [stored(kinds) for length in range(5) for kinds in product(KINDS, repeat=length)]
POLICIES: list[Policy] = [
    keep_all,
    keep_last(1),
    keep_last(2),
    retention.keep_best(1),
    retention.keep_best(2),
    retention.keep_best_and_latest,
    retention.keep_every(2),
]


def test_keeping_all_deletes_nothing_but_what_only_waits_for_a_periodic_one() -> None:
    for folder in FOLDERS:
        assert retention.keep(folder, keep_all) == {one.name for one in folder}


def test_keeping_the_last_n_keeps_so_many_and_what_is_protected() -> None:
    for count, folder in product((1, 2, 3), FOLDERS):
        kept = [one for one in folder if one.name in retention.keep(folder, keep_last(count))]
        free = [one for one in kept if one.is_periodic and not one.is_parent and not one.is_foreign]
        own = [one for one in folder if one.is_periodic and not one.is_foreign]
        assert [one for one in free if one not in own[-count:]] == [], folder
        assert [one for one in own[-count:] if one not in kept] == [], folder


def test_what_is_protected_stays_whatever_a_policy_answers() -> None:
    for folder in FOLDERS:
        kept = retention.keep(folder, lambda _: set())
        for one in folder:
            protected = one.is_parent or one.is_foreign or "manual" in one.reasons or one is folder[-1]
            assert (one.name in kept) == protected, folder


def test_an_emergency_checkpoint_stays_until_a_newer_periodic_one() -> None:
    old, new = Stored("x", 1, (1, 1, 3), ("signal",)), Stored("e", 1, (1, 0, 2))
    assert retention.keep([new, old], keep_last(1)) == {"e", "x"}
    later = Stored("f", 2, (1, 0, 2))
    assert retention.keep([new, old, later], keep_last(1)) == {"f"}
    manual = Stored("m", 2, (2, 0, 4), ("manual",))
    assert retention.keep([new, old, manual], keep_last(1)) == {"e", "x", "m"}


def test_a_union_keeps_what_one_of_its_policies_keeps() -> None:
    for (one, other), folder in product(combinations(POLICIES, 2), FOLDERS):
        both = retention.keep(folder, one, other)
        assert both == retention.keep(folder, one) | retention.keep(folder, other), folder


def test_asked_again_a_policy_deletes_nothing_more() -> None:
    for policy, folder in product(POLICIES, FOLDERS):
        kept = retention.keep(folder, policy)
        assert retention.keep([one for one in folder if one.name in kept], policy) == kept, folder


def test_the_order_in_which_the_folder_is_read_does_not_matter() -> None:
    for policy, folder in product(POLICIES, FOLDERS):
        assert retention.keep(folder[::-1], policy) == retention.keep(folder, policy)


def test_the_best_k_remain_and_the_newest_keeps_its_name_where_it_is_the_only_one() -> None:
    folder = [Stored(f"e{at}", 1, (at, 0, at), places=(place,)) for at, place in enumerate((1, 0, None), start=1)]
    assert retention.keep(folder, retention.keep_best(1), newest_has_latest=True) == {"e2"}
    assert retention.keep(folder, retention.keep_best(2), newest_has_latest=True) == {"e1", "e2"}
    assert retention.keep(folder, retention.keep_best(1)) == {"e2", "e3"}


def test_every_other_epoch_is_kept_at_its_end_alone() -> None:
    folder = [
        Stored("e2", 1, (2, 0, 6)),
        Stored("s", 1, (2, 1, 7)),
        Stored("e3", 1, (3, 0, 9)),
        Stored("e5", 1, (5, 0, 15)),
    ]
    assert retention.keep(folder, retention.keep_every(2)) == {"e2", "e5"}


def test_a_file_without_a_periodic_name_does_not_count() -> None:
    folder = [
        Stored("e1", 1, (1, 0, 1)),
        Stored("e2_attempt1", 1, (2, 0, 2), is_named=False),
        Stored("m", 2, (2, 0, 2), ("manual",)),
    ]
    assert {"e1", "m"} <= retention.keep(folder, keep_last(1))


@pytest.mark.parametrize("count", [1, 2])
def test_of_two_attempts_the_later_one_is_newer(count: int) -> None:
    folder = [Stored("late", 1, (9, 0, 9)), Stored("early", 2, (3, 0, 3)), Stored("earlier", 2, (2, 0, 2))]
    expected = {"early"} if count == 1 else {"early", "earlier"}
    assert retention.keep(folder, keep_last(count)) == expected
