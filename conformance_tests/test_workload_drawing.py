"""Laws of generator and data; `test_workload_oracle` shows that faults break them."""

from collections import Counter
from fractions import Fraction
from itertools import chain, product

import pytest

from tenuto.conformance_tests.oracle.workload import data
from tenuto.conformance_tests.oracle.workload.generator import WORD, Generator, stream
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import start

PUBLISHED = {
    0: (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F),
    1234567: (0x599ED017FB08FC85, 0x2C73F08458540FA5, 0x883EBCE5A3F27C77, 0x3FBEF740E9177B3F, 0xE3B8346708CB5ECD),
}
"""Outputs of SplitMix64 as others have published them, by the first state."""


def state_before(output: int) -> int:
    """The state for which `next` returns this output: every step of the generator turned round."""

    def unshifted(z: int, by: int) -> int:
        found = z
        for _ in range(64 // by):
            found = z ^ (found >> by)
        return found

    z = unshifted(output, 31) * pow(0x94D049BB133111EB, -1, WORD) % WORD
    z = unshifted(z, 27) * pow(0xBF58476D1CE4E5B9, -1, WORD) % WORD
    return (unshifted(z, 30) - 0x9E3779B97F4A7C15) % WORD


def spread(counts: Counter[int], cells: int) -> float:
    """Chi-square of the counts against an even distribution over `cells`."""
    expected = counts.total() / cells
    return sum((counts[cell] - expected) ** 2 / expected for cell in range(cells))


@pytest.mark.req("RW-GEN-001")
def test_the_published_outputs_of_splitmix64() -> None:
    for state, outputs in PUBLISHED.items():
        drawn = Generator(state)
        assert tuple(drawn.next() for _ in outputs) == outputs


@pytest.mark.req("RW-GEN-001")
def test_every_output_comes_from_one_state() -> None:
    for output in (0, 1, 1 << 63, WORD - 1):
        assert Generator(state_before(output)).next() == output


@pytest.mark.req("RW-GEN-002")
def test_unit_has_53_bits_and_stays_below_one() -> None:
    outputs = [*(Generator(state).next() for state in range(100)), 0, (1 << 11) - 1, 1 << 11, WORD - 1]
    for output in outputs:
        assert Fraction(Generator(state_before(output)).unit()) == Fraction(output >> 11, 1 << 53) < 1


@pytest.mark.req("RW-GEN-003")
def test_below_is_even_where_most_draws_are_biased() -> None:
    """Taken modulo 3 * 2^62, half of all draws fall into the first third."""
    drawn = Generator(7)
    assert spread(Counter(drawn.below(3 << 62) >> 62 for _ in range(3000)), 3) < 13.8


@pytest.mark.req("RW-GEN-003")
def test_below_reaches_every_small_number_alike() -> None:
    drawn = Generator(8)
    assert spread(Counter(drawn.below(7) for _ in range(7000)), 7) < 22.5
    assert {Generator(state).below(1) for state in range(50)} == {0}


@pytest.mark.req("RW-GEN-003")
def test_below_gives_what_is_left_of_the_first_draw_it_accepts() -> None:
    for state, n in product(range(20), (1, 6, 1 << 63, (1 << 63) + 1, WORD - 1)):
        bounded, plain = Generator(state), Generator(state)
        found = bounded.below(n)
        draws = [plain.next()]
        while plain.state != bounded.state:
            draws.append(plain.next())
        assert [r >= WORD % n for r in draws] == [False] * (len(draws) - 1) + [True]
        assert found == draws[-1] % n


@pytest.mark.req("RW-GEN-004")
def test_no_two_streams_start_alike() -> None:
    keys = list(product([*range(20), (1 << 63) - 1], range(1, 6), range(20)))
    assert len({stream(*key).state for key in keys}) == len(keys)


@pytest.mark.req("RW-GEN-004")
def test_a_stream_mixes_seed_purpose_and_index_in_turn() -> None:
    once = Generator(PUBLISHED[0][0] + 4).next()
    assert stream(0, 4, 9).state == Generator((once + 9) % WORD).next()


@pytest.mark.req("RW-GEN-004")
def test_more_draws_for_one_purpose_move_no_other() -> None:
    """What each setting draws for is all that it changes."""
    plain, wide = start(Settings(), 1), start(Settings(hidden=9), 1)
    fewer, deeper = start(Settings(validation_samples=1), 1), start(Settings(features=8), 1)
    assert plain.samples == wide.samples == fewer.samples
    assert plain.model.weights == fewer.model.weights
    assert plain.validation == wide.validation
    assert len({one.dropout.state for one in (plain, wide, fewer, deeper)}) == 1
    assert data.order_of_epoch(Settings(), 3) == data.order_of_epoch(Settings(features=8, hidden=9, batch_size=1), 3)


@pytest.mark.req("RW-DATA-001")
def test_inputs_are_drawn_by_sample_then_by_feature() -> None:
    """More samples leave the first ones as they are, and other shapes hold the same numbers in a row."""
    assert data.training_samples(Settings(samples=9))[:5] == data.training_samples(Settings(samples=5))
    rows = [one.x for one in data.training_samples(Settings(samples=4, features=3))]
    columns = [one.x for one in data.training_samples(Settings(samples=6, features=2))]
    assert list(chain(*rows)) == list(chain(*columns))


@pytest.mark.req("RW-DATA-001")
def test_inputs_lie_in_their_range_and_validation_has_its_own() -> None:
    settings = Settings(samples=2000, validation_samples=50)
    inputs = [one for sample in data.training_samples(settings) for one in sample.x]
    assert -1.0 <= min(inputs) < -0.99
    assert 0.99 < max(inputs) < 1.0
    assert abs(sum(inputs) / len(inputs)) < 0.02
    assert not set(inputs) & {one for sample in data.validation_samples(settings) for one in sample.x}


@pytest.mark.req("RW-DATA-002")
def test_targets_are_products_of_neighbors_in_a_ring() -> None:
    assert data.target([0.3]) == 0.3 * 0.3
    assert data.target([0.3, -0.7]) == 2.0 * (0.3 * -0.7)
    for sample in data.training_samples(Settings()):
        a, b, c = sample.x
        assert sample.target == pytest.approx(((a + b + c) ** 2 - a * a - b * b - c * c) / 2)


@pytest.mark.req("RW-DATA-003")
def test_orders_are_permutations_that_are_all_alike_frequent() -> None:
    settings = Settings(samples=4)
    orders = [tuple(data.order_of_epoch(settings, epoch)) for epoch in range(4800)]
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3)}
    numbers = {order: number for number, order in enumerate(sorted(set(orders)))}
    assert spread(Counter(numbers[order] for order in orders), 24) < 49.7


@pytest.mark.req("RW-DATA-003")
def test_orders_depend_on_seed_and_epoch_alone() -> None:
    assert (
        len({tuple(data.order_of_epoch(Settings(seed=seed), epoch)) for seed in (0, 1) for epoch in range(50)}) == 100
    )
    assert data.order_of_epoch(Settings(), 5) == data.order_of_epoch(Settings(), 5)


@pytest.mark.req("RW-DATA-004")
def test_batches_cut_the_order_and_leave_nothing_out() -> None:
    for size, counts in ((4, [4, 4, 4, 4, 4, 2]), (22, [22]), (100, [22]), (1, [1] * 22), (11, [11, 11])):
        settings = Settings(batch_size=size)
        batches = data.batches_of_epoch(settings, 2)
        assert list(chain(*batches)) == data.order_of_epoch(settings, 2)
        assert [len(batch) for batch in batches] == counts
