import numpy as np

rng = np.random.default_rng(0)
x = rng.standard_normal((6, 4)).astype("float32")
image = rng.standard_normal((2, 3, 6, 5)).astype("float32")
inputs = dict.fromkeys(("standardise", "attend", "middle", "narrow", "share", "smooth"), x)
inputs |= dict.fromkeys(("frame", "enlarge", "flatten"), image)
