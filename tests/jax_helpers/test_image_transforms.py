"""Image transforms next to torchvision's own, which is installed, if without its compiled operations."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from PIL import Image

from ivy_convert.api_maps.jax.helpers import image_pipelines as ours
from ivy_convert.api_maps.jax.helpers import image_transforms as functions
from ivy_convert.api_maps.jax.helpers.process_stream import manual_seed


@pytest.fixture(scope="module")
def theirs():
    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # Its compiled operations belong to another torch; the transforms need none of them.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import transforms
    from torchvision.transforms import v2

    transforms.v2 = v2
    return transforms


def image(mode="RGB", height=7, width=10):
    random = np.random.default_rng(0)
    depth = {"RGB": (3,), "RGBA": (4,)}.get(mode, ())
    pixels = random.integers(0, 256, (height, width, *depth), np.uint8)
    if mode in ("I;16", "F", "I"):
        kind = {"I;16": np.uint16, "F": np.float32, "I": np.int32}[mode]
        return Image.fromarray((pixels * 100).astype(kind) if mode == "I;16" else pixels.astype(kind))
    return Image.fromarray(pixels).convert(mode)


def same(result, expected):
    if isinstance(expected, Image.Image):
        assert isinstance(result, Image.Image) and result.mode == expected.mode and result.size == expected.size
        result, expected = np.asarray(result), np.asarray(expected)
    elif isinstance(expected, tuple):
        for one, other in zip(result, expected, strict=True):
            same(one, other)
        return
    else:
        assert isinstance(result, np.ndarray)
        expected = expected.numpy()
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


MODES = ["RGB", "L", "1", "RGBA", "F", "I", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_pixels_of_images(theirs, mode):
    picture = image(mode)
    same(ours.ToTensor()(picture), theirs.ToTensor()(picture))
    same(ours.PILToTensor()(picture), theirs.PILToTensor()(picture))
    for kind in (np.uint8, np.float32, np.float64, np.int32):
        for pixels in (np.arange(24).reshape(2, 4, 3).astype(kind), np.arange(6).reshape(2, 3).astype(kind)):
            same(ours.ToTensor()(pixels), theirs.ToTensor()(pixels))


PIL_TRANSFORMS = [
    ("Resize", (5,), {}),
    ("Resize", ([4],), {}),
    ("Resize", ((4, 13),), {}),
    ("Resize", (12, "BICUBIC"), {}),
    ("Resize", (5, "NEAREST"), {"max_size": 6}),
    ("Resize", (5, "LANCZOS"), {"antialias": False}),
    ("Resize", (7,), {}),
    ("CenterCrop", (4,), {}),
    ("CenterCrop", ((3, 6),), {}),
    ("CenterCrop", ((9, 6),), {}),
    ("CenterCrop", (15,), {}),
    ("FiveCrop", ((3, 4),), {}),
    ("Pad", (2,), {}),
    ("Pad", ((1, 2),), {"fill": 7}),
    ("Pad", ([1, 2, 3, 4],), {"padding_mode": "edge"}),
    ("Pad", (3,), {"padding_mode": "reflect"}),
    ("Pad", (3,), {"padding_mode": "symmetric"}),
    ("Grayscale", (), {}),
    ("Grayscale", (3,), {}),
    ("RandomHorizontalFlip", (1.0,), {}),
    ("RandomVerticalFlip", (), {"p": 1.0}),
    ("RandomHorizontalFlip", (0.0,), {}),
    ("RandomGrayscale", (1.0,), {}),
    ("RandomCrop", ((7, 10),), {}),
    ("RandomCrop", ((9, 12), 1), {}),
]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("name", "arguments", "options"), PIL_TRANSFORMS)
def test_images(theirs, mode, name, arguments, options):
    def with_mode(enumeration):
        return [getattr(enumeration, a) if isinstance(a, str) else a for a in arguments]

    picture = image(mode)
    expected = getattr(theirs, name)(*with_mode(theirs.InterpolationMode), **options)(picture)
    same(getattr(ours, name)(*with_mode(functions.InterpolationMode), **options)(picture), expected)


ARRAY_TRANSFORMS = [entry for entry in PIL_TRANSFORMS if entry[0] != "Resize"]


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize(("name", "arguments", "options"), ARRAY_TRANSFORMS)
def test_arrays(theirs, kind, name, arguments, options):
    pixels = (np.random.default_rng(0).random((2, 3, 7, 10)) * 250).astype(kind)
    expected = getattr(theirs, name)(*arguments, **options)(torch.tensor(pixels))
    result = getattr(ours, name)(*arguments, **options)(pixels)
    if "Gray" in name and kind == np.float32:
        np.testing.assert_allclose(result, expected.numpy(), rtol=3e-7)
    else:
        same(result, expected)


def test_normalized(theirs):
    pixels = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    for mean, std in (((0.5,), (0.25,)), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))):
        expected = theirs.Normalize(mean, std)(torch.tensor(pixels))
        same(ours.Normalize(mean, std)(pixels), expected)
        same(ours.Normalize(mean, std)(jnp.asarray(pixels)), expected)
    changed = pixels.copy()
    assert ours.Normalize((0.5,), (0.25,), inplace=True)(changed) is changed and (changed == (pixels - 0.5) / 0.25).all()
    for wrong in (pixels.astype(np.uint8), image(), pixels[0]):
        with pytest.raises(TypeError, match="ToTensor"):
            ours.Normalize((0.5,), (0.5,))(wrong)
    with pytest.raises(ValueError, match="division by zero"):
        ours.Normalize((0.5,), (0.0,))(pixels)
    with pytest.raises(TypeError, match="inplace=True"):
        ours.Normalize((0.5,), (0.5,), inplace=True)(jnp.asarray(pixels))


@pytest.mark.parametrize("source", ["uint8", "float32", "float64", "int16", "int8", "int32", "uint16"])
@pytest.mark.parametrize("target", ["uint8", "float32", "float64"])
def test_types_on_their_scale(theirs, source, target):
    pixels = np.random.default_rng(0).random((3, 4, 5))
    pixels = pixels.astype(source) if source.startswith("f") else (pixels * np.iinfo(source).max).astype(source)
    if source == "uint16":  # torch knows it as little more than a name.
        assert abs(functions.convert_image_dtype(pixels, target).mean() / (255 if target == "uint8" else 1) - 0.5) < 0.1
        return
    expected = theirs.ConvertImageDtype(getattr(torch, target))(torch.tensor(pixels))
    same(ours.ConvertImageDtype(getattr(jnp, target))(pixels), expected)
    result = ours.ToDtype(np.dtype(target), scale=True)(pixels)
    expected = theirs.v2.ToDtype(getattr(torch, target), scale=True)(torch.tensor(pixels)).numpy()
    # Their second version multiplies by the reciprocal.
    np.testing.assert_allclose(result, expected, rtol=2 * np.finfo(expected.dtype).eps if target != "uint8" else 0)
    same(ours.ToDtype(np.dtype(target))(pixels), theirs.v2.ToDtype(getattr(torch, target))(torch.tensor(pixels)))


def test_what_is_refused(theirs):
    pixels = np.zeros((3, 4, 5), np.float32)
    with pytest.raises(TypeError, match=r"Resize takes Pillow images: put it before ToTensor"):
        ours.Resize(3)(pixels)
    with pytest.raises(TypeError, match=r"RandomErasing takes arrays: put it behind ToTensor"):
        ours.RandomErasing()(image())
    with pytest.raises(TypeError, match="not to int32"):
        ours.ConvertImageDtype(jnp.int32)(pixels)
    with pytest.raises(TypeError, match="got tuple"):
        ours.CenterCrop(2)((image(), 3))
    for wrong in (lambda t: t.RandomCrop(9), lambda t: t.FiveCrop(9), lambda t: t.Pad(9, padding_mode="reflect")):
        with pytest.raises((ValueError, RuntimeError)):
            wrong(theirs)(torch.zeros(3, 4, 5))
        with pytest.raises(ValueError):
            wrong(ours)(pixels)


@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomVerticalFlip", "RandomGrayscale", "RandomErasing"])
def test_draws_inside_a_jitted_function_are_refused(name):
    plain = getattr(ours, name)(p=0.0)
    inside = [plain, ours.RandomApply([plain], p=0.0), ours.RandomOrder([plain]), ours.RandomChoice([plain])]
    for transform in inside:
        with pytest.raises(TypeError, match=r"outside of jax\.jit"):
            jax.jit(transform)(jnp.zeros((3, 4, 4)))


def test_random_crops_are_everywhere_as_often():
    pixels = np.arange(20).reshape(1, 4, 5)
    crop = ours.RandomCrop((2, 3))
    corners = np.bincount([int(crop(pixels)[0, 0, 0]) for _ in range(1800)], minlength=20)
    places = corners[[0, 1, 2, 5, 6, 7, 10, 11, 12]]
    assert places.sum() == 1800 and (abs(places - 200) < 5 * 200**0.5).all()
    around = np.pad(pixels, ((0, 0), (2, 2), (0, 0)), constant_values=-1)
    tall = [ours.RandomCrop((6, 5), pad_if_needed=True, fill=-1)(pixels) for _ in range(60)]
    tops = [next(top for top in range(3) if (around[:, top : top + 6] == one).all()) for one in tall]
    assert set(tops) == {0, 1, 2}
    manual_seed(3)
    first = [int(crop(pixels)[0, 0, 0]) for _ in range(20)]
    manual_seed(3)
    assert first == [int(crop(pixels)[0, 0, 0]) for _ in range(20)] and len(set(first)) > 3


def test_random_parts_are_distributed_as_in_torch(theirs):
    mine = np.array([ours.RandomResizedCrop(4).part(40, 30) for _ in range(2000)])
    mode = theirs.RandomResizedCrop
    other = np.array([mode.get_params(torch.zeros(3, 40, 30), (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(2000)])
    error = np.sqrt((mine.var(0) + other.var(0)) / 2000)
    assert (abs(mine.mean(0) - other.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(mine.std(0), other.std(0), rtol=0.15)
    assert ours.RandomResizedCrop(4)(image()).size == (4, 4)
    same(ours.RandomResizedCrop((7, 10), scale=(9, 9), ratio=(1.0, 10 / 7))(image()), image())


def test_random_erasing(theirs):
    pixels = np.ones((3, 20, 30), np.float32)
    for value in (0, (0.1, 0.2, 0.3), "random"):
        mine = [ours.RandomErasing(p=0.7, value=value)(pixels) for _ in range(800)]
        other = [theirs.RandomErasing(p=0.7, value=value)(torch.tensor(pixels)).numpy() for _ in range(800)]
        shares = [np.array([(one[0] != 1).mean() for one in result]) for result in (mine, other)]
        error = np.sqrt((shares[0].var() + shares[1].var()) / 800)
        assert abs(shares[0].mean() - shares[1].mean()) < 5 * error
        erased = next(one for one in mine if (one != 1).any())
        rows, columns = np.nonzero(erased[0] != 1)
        assert (erased[0] != 1).sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert (pixels == 1).all()


def test_random_choices():
    add, double = ours.Lambda(lambda x: x + 1), ours.Lambda(lambda x: x * 2)
    pixels = np.full((1, 1), 3)
    apply = ours.RandomApply([add, double], p=0.3)
    assert abs(sum(int(apply(pixels)[0, 0] == 8) for _ in range(1000)) - 300) < 80
    assert {int(ours.RandomOrder([add, double])(pixels)[0, 0]) for _ in range(50)} == {7, 8}
    assert {int(ours.RandomChoice([add, double], p=[0, 1])(pixels)[0, 0]) for _ in range(20)} == {6}
    assert int(ours.Compose([add, double])(pixels)[0, 0]) == 8 and "Lambda" in repr(ours.Compose([add]))
