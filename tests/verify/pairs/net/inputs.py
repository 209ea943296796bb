import numpy as np


def inputs():
    rng = np.random.default_rng(0)
    block = rng.standard_normal((2, 3, 4)).astype("float32")
    logits = rng.standard_normal((6, 3)).astype("float32")
    return {
        "Block": ({"dim": 4}, (block,)),
        "Net": ({"dim": 4, "depth": 2, "classes": 3}, (block,)),
        "accuracy": (logits, np.array([0, 1, 2, 0, 1, 2])),
        "fit": (),
    }
