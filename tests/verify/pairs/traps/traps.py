import torch
import torch.nn.functional as F


def standardise(x):
    centred = x - x.mean(dim=0)
    scale = x.std(dim=0)
    return centred / scale


def attend(x):
    scores = x @ x.T
    weights = F.softmax(scores, dim=1)
    return weights @ x


def frame(image):
    wide = F.pad(image, (1, 2, 2, 1), mode="reflect")
    return wide * 2


def enlarge(image):
    large = F.interpolate(image, size=(9, 11), mode="bilinear", align_corners=True)
    return large - large.mean()


def flatten(image):
    flat = image.flatten(1)
    return torch.cumsum(flat, dim=1)


def middle(x):
    level = x.median(dim=0).values
    return x - level


def narrow(x):
    scaled = x * 3
    return scaled.exp()


def share(x):
    steps = torch.round(x * 10)
    whole = torch.div(steps, 3.0, rounding_mode="trunc")
    return whole / 10


def smooth(x):
    for _ in range(3):
        inner = inside(x)
        x = inner + x
    return x


def inside(x):
    shifted = x - 1
    return F.gelu(shifted)
