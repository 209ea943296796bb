"""Image transforms with torchvision's names and arguments, for Pillow images and arrays on the host.

Arrays are `[..., channels, height, width]` and come back as numpy arrays; batches of them go to the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import jax
import numpy as np
from PIL import Image, ImageOps


class InterpolationMode(Enum):
    """How pixels between pixels are computed."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def on_host(value: Any) -> Any:
    """`value`; TypeError inside `jax.jit`, where a transform would draw once and for all."""
    if isinstance(value, jax.core.Tracer):
        raise TypeError("image transforms work on the host: apply them to the data, outside of jax.jit and gradients")
    return value


def as_image(image: Any) -> Any:
    """A Pillow image, or an array of at least two axes as numpy's; TypeError for anything else."""
    on_host(image)
    if isinstance(image, Image.Image):
        return image
    if not hasattr(image, "__array__") or np.ndim(image) < 2:
        raise TypeError(f"expected a Pillow image or an array [..., height, width], got {type(image).__name__}")
    return np.asarray(image)


def height_and_width(image: Any) -> tuple[int, int]:
    """The size of a Pillow image or of an array `[..., height, width]`."""
    return (image.height, image.width) if isinstance(image, Image.Image) else np.shape(image)[-2:]


def pair_of(size: int | Sequence[int]) -> tuple[int, int]:
    """A height and a width from one number, a sequence of one or of two."""
    sizes = [int(size)] if isinstance(size, (int, float)) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return sizes[0], sizes[-1]


def pil_to_tensor(pic: Any) -> np.ndarray:
    """The pixels of a Pillow image `[channels, height, width]`, in its own type."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    pixels = np.array(pic)
    return np.ascontiguousarray(np.moveaxis(pixels.reshape(pic.height, pic.width, -1), -1, 0))


def to_tensor(pic: Any) -> np.ndarray:
    """`[channels, height, width]` of a Pillow image or a numpy array `[height, width, channels]`; bytes become 0 to 1."""
    if isinstance(pic, Image.Image):
        kinds = {"I": np.int32, "I;16": np.int16, "F": np.float32}
        pixels = np.array(pic, kinds.get(pic.mode, np.uint8)).reshape(pic.height, pic.width, -1)
        pixels = 255 * pixels if pic.mode == "1" else pixels
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        pixels = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    channels_first = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    return channels_first / np.float32(255) if channels_first.dtype == np.uint8 else channels_first


def to_image(pic: Any) -> np.ndarray:
    """The pixels of a Pillow image or a numpy array `[height, width, channels]`, channels first."""
    if isinstance(pic, Image.Image):
        return pil_to_tensor(pic)
    pixels = np.asarray(pic)
    return np.ascontiguousarray(np.moveaxis(pixels[:, :, None] if pixels.ndim == 2 else pixels, -1, 0))


def normalize_image(tensor: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> np.ndarray:
    """`(tensor - mean) / std` by channel, for floats `[..., channels, height, width]`."""
    image = as_image(tensor)
    if isinstance(image, Image.Image) or image.dtype.kind != "f" or image.ndim < 3:
        raise TypeError("Normalize takes arrays of floats [..., channels, height, width]: put ToTensor() before it")
    if inplace and not (image is tensor and image.flags.writeable):
        raise TypeError("Normalize(inplace=True) takes numpy arrays that can be written to")
    means, stds = (np.asarray(values, image.dtype).reshape(-1, 1, 1) for values in (mean, std))
    if not stds.all():
        raise ValueError("std evaluated to zero, leading to division by zero.")
    result = np.subtract(image, means, out=image if inplace else None)
    return np.divide(result, stds, out=result)


def four_paddings(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom from one number, left-right and top-bottom, or all four."""
    sides = [padding] if isinstance(padding, int) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    if min(sides) < 0:
        raise ValueError("Padding must not be negative: crop instead")
    left, top, right, bottom = (sides * 4)[:4] if len(sides) < 4 else sides
    return left, top, right, bottom


def pad_image(img: Any, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> Any:
    """An image with a border: constant, edge, reflect or symmetric."""
    image = as_image(img)
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    left, top, right, bottom = four_paddings(padding)
    if isinstance(image, Image.Image):
        if padding_mode == "constant":
            return ImageOps.expand(image, (left, top, right, bottom), colour(image, fill))
        if image.mode == "P":
            raise TypeError("images with a palette can only be padded with a constant; convert them to RGB")
        pixels = np.asarray(image)
        widths = [(top, bottom), (left, right), (0, 0)][: pixels.ndim]
        return Image.fromarray(np.pad(pixels, widths, mode=padding_mode))  # type: ignore[call-overload]
    widths = [(0, 0)] * (image.ndim - 2) + [(top, bottom), (left, right)]
    if padding_mode == "reflect" and any(max(widths[axis]) >= image.shape[axis] for axis in (-1, -2)):
        raise ValueError("Padding size should be less than the corresponding input dimension")
    if padding_mode != "constant":
        return np.pad(image, widths, mode=padding_mode)  # type: ignore[call-overload]
    if isinstance(fill, (list, tuple)):
        if len(fill) != 1:
            raise ValueError("the border of an array has one value: pad the Pillow image, or each channel by itself")
        (fill,) = fill
    return np.pad(image, widths, constant_values=fill)


def colour(image: Image.Image, fill: Any) -> Any:
    """A fill value as Pillow takes it for an image."""
    count = len(image.getbands())
    fill = 0 if fill is None else fill
    values = tuple(fill) if isinstance(fill, (list, tuple)) else (fill,) * count
    if len(values) not in (1, count):
        raise ValueError(f"The number of elements in 'fill' is {len(values)}, the image has {count} channels")
    values = values * count if len(values) < count else values
    values = values if image.mode == "F" else tuple(int(value) for value in values)
    return values if count > 1 else values[0]


def crop_image(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of an image from `top` and `left`; beyond its edges there are zeros."""
    image = as_image(img)
    if isinstance(image, Image.Image):
        return image.crop((left, top, left + width, top + height))
    rows, columns = height_and_width(image)
    outside = [max(-left, 0), max(-top, 0), max(left + width - columns, 0), max(top + height - rows, 0)]
    part = image[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    return pad_image(part, outside) if any(outside) else part


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """The middle of an image, with zeros around it where the image is smaller."""
    image = as_image(img)
    height, width = pair_of(output_size)
    missing = [max(want - have, 0) for want, have in zip((height, width), height_and_width(image), strict=True)]
    if any(missing):
        down, across = missing
        image = pad_image(image, [across // 2, down // 2, (across + 1) // 2, (down + 1) // 2])
    rows, columns = height_and_width(image)
    return crop_image(image, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)


def five_crop(img: Any, size: int | Sequence[int]) -> tuple[Any, Any, Any, Any, Any]:
    """The four corners of an image and its middle."""
    height, width = pair_of(size)
    rows, columns = height_and_width(as_image(img))
    if width > columns or height > rows:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(rows, columns)}")
    below, beside = rows - height, columns - width
    corners = [crop_image(img, top, left, height, width) for top in (0, below) for left in (0, beside)]
    return (*corners, center_crop(img, (height, width)))  # type: ignore[return-value]


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    image = as_image(img)
    return ImageOps.mirror(image) if isinstance(image, Image.Image) else np.ascontiguousarray(image[..., ::-1])


def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    image = as_image(img)
    return ImageOps.flip(image) if isinstance(image, Image.Image) else np.ascontiguousarray(image[..., ::-1, :])


def resize_image(
    img: Any,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """A Pillow image in another size; with one number that is the length of the shorter side."""
    if not isinstance(img, Image.Image):
        raise TypeError("Resize takes Pillow images: put it before ToTensor()")
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2) or (max_size is not None and len(sizes) == 2):
        raise ValueError("size must be an int or a sequence of 1 or 2; max_size goes with the length of one side")
    if len(sizes) == 1:
        short, long = sorted((img.height, img.width))
        new_short, new_long = sizes[0], int(sizes[0] * long / short)
        if max_size is not None:
            if max_size <= sizes[0]:
                raise ValueError(f"max_size = {max_size} must be strictly greater than the size {sizes[0]}")
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
        sizes = [new_long, new_short] if img.width <= img.height else [new_short, new_long]
    if sizes == [img.height, img.width]:
        return img
    names = {"nearest-exact": "NEAREST"}
    if isinstance(interpolation, InterpolationMode):
        interpolation = Image.Resampling[names.get(interpolation.value, interpolation.value.upper())]
    return img.resize((sizes[1], sizes[0]), Image.Resampling(interpolation))


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A part of a Pillow image in another size."""
    return resize_image(crop_image(img, top, left, height, width), size, interpolation)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The brightness of an image, in one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    image = as_image(img)
    if isinstance(image, Image.Image):
        grey = image.convert("L")
        return Image.merge("RGB", [grey] * 3) if num_output_channels == 3 else grey
    if image.ndim < 3 or image.shape[-3] not in (1, 3):
        raise TypeError(f"expected an array of 1 or 3 channels, got shape {image.shape}")
    if image.shape[-3] == 1:
        return np.repeat(image, num_output_channels, -3)
    red, green, blue = np.moveaxis(image if image.dtype.kind == "f" else image.astype(np.float32), -3, 0)
    kind = red.dtype.type
    brightness = (kind(0.2989) * red + kind(0.587) * green + kind(0.114) * blue).astype(image.dtype)
    return np.repeat(brightness[..., None, :, :], num_output_channels, -3)


def convert_image_dtype(image: Any, dtype: Any = np.float32) -> np.ndarray:
    """Values of another type on its own scale: integers from 0 to their largest, floats from 0 to 1."""
    source, target = np.asarray(image), np.dtype(dtype)
    if source.dtype == target:
        return source
    if target.kind == "f":
        whole = source.dtype.kind != "f"
        result = source.astype(target)
        return result / target.type(np.iinfo(source.dtype).max) if whole and source.dtype != bool else result
    if target != np.uint8:  # torch's int64 would have another scale than JAX's.
        raise TypeError(f"images are converted to floats or uint8, not to {target}")
    if source.dtype.kind == "f":
        return (source * source.dtype.type(255 + 1.0 - 1e-3)).astype(target)
    factor = (np.iinfo(source.dtype).max + 1) // 256
    return (source // factor if factor else source * 2).astype(target)
