import io
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from ivy_convert.api_maps.jax.helpers import checkpoint, modules, optimizer_state, optimizers
from ivy_convert.api_maps.jax.helpers.parameter_groups import ParameterGroups, param_groups


def test_nested_values_come_back(tmp_path):
    value = {
        "epoch": 3,
        "name": "net",
        "best": None,
        "flags": [True, (1, 2.5)],
        7: {"x": np.arange(6).reshape(2, 3)},
        "half": jnp.arange(4, dtype=jnp.bfloat16),
        "scalar": np.float32(1.5),
        "empty": np.zeros((0, 3)),
        "nan": float("nan"),
    }
    checkpoint.save(value, tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    loaded = checkpoint.load(str(tmp_path / "model.pt"))
    assert {k: loaded[k] for k in ("epoch", "name", "best", "flags")} == {
        k: value[k] for k in ("epoch", "name", "best", "flags")
    }
    assert loaded["half"].dtype == jnp.bfloat16 and isinstance(loaded["half"], jax.Array)
    assert isinstance(loaded[7]["x"], np.ndarray) and loaded["empty"].shape == (0, 3) and np.isnan(loaded["nan"])
    np.testing.assert_array_equal(loaded[7]["x"], value[7]["x"])
    np.testing.assert_array_equal(loaded["half"], value["half"])
    assert list(loaded) == list(value)


def test_keys_variables_and_open_files():
    file = io.BytesIO()
    checkpoint.save([jax.random.key(3), nnx.Param(jnp.ones(2))], file)
    file.seek(0)
    key, parameter = checkpoint.load(file)
    assert float(jax.random.uniform(key)) == float(jax.random.uniform(jax.random.key(3)))
    np.testing.assert_array_equal(parameter, np.ones(2))


def test_refusals(tmp_path):
    with pytest.raises(TypeError, match=r"obj\['args'\] is a object"):
        checkpoint.save({"args": object()}, tmp_path / "x")
    assert not list(tmp_path.iterdir())
    (tmp_path / "pickled").write_bytes(pickle.dumps({"a": 1}))
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    for name in ("pickled", "other.npz"):
        with pytest.raises(ValueError, match="not written by save"):
            checkpoint.load(tmp_path / name)


class Net(nnx.Module):
    def __init__(self):
        self.a, self.b = nnx.Param(jnp.ones(3)), nnx.Param(jnp.ones((2, 2)))


def make(kind, net):
    if kind == "groups":
        groups = [{"params": [net.a], "lr": 0.2}, {"params": [net.b]}]
        return ParameterGroups(optimizers.adamw, groups, lr=0.1, amsgrad=True)
    return nnx.Optimizer(net, optax.inject_hyperparams(optax.adam)(learning_rate=0.1), wrt=nnx.Param)


@pytest.mark.parametrize("kind", ["groups", "optimizer"])
def test_training_goes_on_from_a_checkpoint(kind, tmp_path):
    def step(net, optimizer):
        optimizer.update(net, nnx.grad(lambda n: (n.a**3).sum() + (n.b**2).sum())(net))

    net = Net()
    optimizer = make(kind, net)
    for _ in range(3):
        step(net, optimizer)
    param_groups(optimizer)[0]["lr"] = 0.03
    state = {"model": modules.state_dict(net), "optimizer": optimizer_state.optimizer_state_dict(optimizer), "epoch": 3}
    checkpoint.save(state, tmp_path / "last.ckpt")
    loaded = checkpoint.load(tmp_path / "last.ckpt")
    other = Net()
    resumed = make(kind, other)
    modules.load_state_dict(other, loaded["model"])
    optimizer_state.optimizer_load_state_dict(resumed, loaded["optimizer"])
    assert param_groups(resumed)[0]["lr"] == 0.03
    for _ in range(3):
        step(net, optimizer)
        step(other, resumed)
    np.testing.assert_array_equal(net.a[...], other.a[...])
    np.testing.assert_array_equal(net.b[...], other.b[...])


def test_loading_another_optimizer_is_refused():
    net = Net()
    state = optimizer_state.optimizer_state_dict(make("groups", net))
    with pytest.raises(ValueError, match="number of parameter groups"):
        optimizer_state.optimizer_load_state_dict(ParameterGroups(optimizers.adamw, [net.a, net.b]), state)
    with pytest.raises(ValueError, match="does not match the state of parameter 0"):
        optimizer_state.optimizer_load_state_dict(
            ParameterGroups(optimizers.adam, [{"params": [net.a]}, {"params": [net.b]}]), state
        )
