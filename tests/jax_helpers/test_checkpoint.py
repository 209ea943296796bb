import argparse
import io
import pathlib
import pickle
import zipfile

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
    with pytest.raises(TypeError, match=r"obj\.args is a object"):
        checkpoint.save({"args": object()}, tmp_path / "x")
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match=r"obj\.a\.1 is a object"):
        checkpoint.save({"a": [1, object()]}, tmp_path / "x")
    (tmp_path / "pickled").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello, this is a text\n")
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("data.pkl", pickle.dumps({"a": 1}))
    for name in ("pickled", "empty", "text", "archive"):
        with pytest.raises(ValueError, match="is no checkpoint: convert one of torch with `ivy-convert weights`"):
            checkpoint.load(tmp_path / name)
    checkpoint.save({"a": np.ones(2), "b": np.ones(3)}, tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-3])
    with pytest.raises(ValueError, match="cut is cut short: b is not whole"):
        checkpoint.load(tmp_path / "cut")


def test_further_values_come_back():
    value = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.Path("runs/a"), sizes=(3, 4)),
        "a": {"b": jnp.ones(1)},
        "a.b": jnp.zeros(2),
        "seen": {1, 2},
        "words": np.array(["x", "yz"]),
        "wide": np.array([1 + 2j]),
        "turned": np.arange(6).reshape(2, 3).T,
        "swapped": np.arange(3, dtype=">i4"),
        "large": np.array([2**40]),
        "fourths": jnp.asarray([3, -2], jnp.int4),
        "days": np.array(["2024-02-29"], "datetime64[D]"),
        "eighths": jnp.asarray([0.5, 2], jnp.float8_e4m3fn),
        3: jnp.array(7),
    }
    file = io.BytesIO()
    checkpoint.save(value, file)
    file.seek(0)
    loaded = checkpoint.load(file)
    assert loaded.keys() == value.keys()
    for name in ("args", "seen"):
        assert loaded[name] == value[name]
    for name in ("a.b", "words", "wide", "turned", "swapped", "large", "eighths", "fourths", "days", 3):
        assert loaded[name].shape == value[name].shape and loaded[name].dtype.name == value[name].dtype.name, name
        np.testing.assert_array_equal(np.asarray(loaded[name]), np.asarray(value[name]))
    np.testing.assert_array_equal(loaded["a"]["b"], value["a"]["b"])
    loaded["turned"][0, 0] = 9  # A numpy array that is read can be written to, as before.


def test_files_of_other_programs(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(2), count=np.array(2**40))
    loaded = checkpoint.load(tmp_path / "other.npz")
    assert isinstance(loaded["a"], jax.Array) and loaded["count"].item() == 2**40
    header = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    data = bytes([0xC0, 0x3F, 0x00, 0xC0])
    (tmp_path / "other.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    loaded = checkpoint.load(str(tmp_path / "other.safetensors"))
    assert list(loaded) == ["w"] and loaded["w"].dtype == jnp.bfloat16 and loaded["w"].tolist() == [1.5, -2]


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
