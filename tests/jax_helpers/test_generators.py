import jax
import numpy as np
from flax import nnx

from ivy_convert.api_maps.jax.helpers import generators, process_stream


def numbers(generator, count=3):
    return [float(jax.random.uniform(generators.key_from(generator))) for _ in range(count)]


def test_a_seed_decides_the_draws():
    assert numbers(nnx.Rngs(3)) == numbers(nnx.Rngs(3)) != numbers(nnx.Rngs(4))
    assert len(set(numbers(nnx.Rngs(3), 10))) == 10


def test_reseeding_reaches_everyone_who_holds_the_generator():
    generator = nnx.Rngs(0)
    held = generator
    first = numbers(held)
    assert generators.reseed(generator, 5) is generator
    reseeded = numbers(held)
    assert reseeded != first and numbers(nnx.Rngs(5)) == reseeded


def test_states_come_back():
    for generator in (nnx.Rngs(7), None):
        numbers(generator)
        state = generators.generator_state(generator)
        assert state.dtype == np.uint32
        first = numbers(generator)
        generators.set_generator_state(state, generator)
        assert numbers(generator) == first


def test_the_process_stream_serves_where_there_is_none():
    process_stream.manual_seed(1)
    first = numbers(None)
    stream = generators.seeded_stream(1)
    assert not set(first) & set(numbers(nnx.Rngs(1), 6))
    stream = generators.seeded_stream(1)
    assert numbers(stream) == first and generators.initial_seed() == 1
    assert generators.initial_seed(nnx.Rngs(9)) == 9
    assert generators.numpy_random(nnx.Rngs(2)).random() == generators.numpy_random(nnx.Rngs(2)).random()
