import numpy as np

rng = np.random.default_rng(0)
x = rng.standard_normal((2, 3, 4)).astype("float32")
inputs = {
    "Epsilon": ({"dim": 4}, x),
    "TanhGelu": ({"dim": 4}, x),
    "TransposedWeight": ({"dim": 4}, x),
    "Axis": ({"dim": 4}, x),
    "ForgottenScale": ({}, x),
    "Momentum": ({"dim": 4}, x),
    "Detached": ({"dim": 4}, x),
    "MissingBias": ({"dim": 4}, x),
    "clamp_gradient": np.array([-1.0, 0.0, 2.0], "float32"),
    "normalise_": x,
    "noisy": x,
    "counts": np.array([0, 1, 3]),
    "train_with_weight_decay": (),
    "train_with_clipping": (),
}
