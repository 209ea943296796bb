"""Image transforms as objects, with torchvision's names and arguments: what they are called with is one image.

Random transforms draw from the process's stream, on the host.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from .generators import numpy_random
from .image_transforms import (
    InterpolationMode,
    as_image,
    center_crop,
    convert_image_dtype,
    crop_image,
    five_crop,
    height_and_width,
    hflip,
    normalize_image,
    on_host,
    pad_image,
    pair_of,
    pil_to_tensor,
    resize_image,
    resized_crop,
    rgb_to_grayscale,
    to_image,
    to_tensor,
    vflip,
)
from .process_stream import process_stream


class HostRandom:
    """Numpy's generator for draws on the host; it starts again where the process's stream does."""

    key: Any = None

    def __call__(self) -> np.random.Generator:
        if self.key is not process_stream.key:
            self.key, self.generator = process_stream.key, numpy_random()
        return self.generator


host_random = HostRandom()


class ImageTransform:
    """Base of transforms, which shows their settings."""

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class Compose(ImageTransform):
    """Several transforms, one after the other."""

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img


class ToTensor(ImageTransform):
    """Pillow images and numpy arrays `[height, width, channels]` as arrays, channels first; bytes become 0 to 1."""

    def __call__(self, pic: Any) -> np.ndarray:
        return to_tensor(pic)


class PILToTensor(ImageTransform):
    """The pixels of Pillow images, channels first."""

    def __call__(self, pic: Any) -> np.ndarray:
        return pil_to_tensor(pic)


class ToImage(ImageTransform):
    """The pixels of Pillow images and of numpy arrays `[height, width, channels]`, channels first."""

    def __call__(self, pic: Any) -> np.ndarray:
        return to_image(pic)


class ConvertImageDtype(ImageTransform):
    """Another element type, on its own scale."""

    def __init__(self, dtype: Any):
        self.dtype = dtype

    def __call__(self, image: Any) -> np.ndarray:
        return convert_image_dtype(image, self.dtype)


class ToDtype(ImageTransform):
    """Another element type, on its own scale if `scale`; Pillow images stay as they are."""

    def __init__(self, dtype: Any, scale: bool = False):
        self.dtype, self.scale = dtype, scale

    def __call__(self, image: Any) -> Any:
        if isinstance(image, Image.Image):
            return image
        return convert_image_dtype(image, self.dtype) if self.scale else np.asarray(image).astype(self.dtype)


class Normalize(ImageTransform):
    """`(image - mean) / std` by channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False):
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, tensor: Any) -> np.ndarray:
        return normalize_image(tensor, self.mean, self.std, self.inplace)


class Resize(ImageTransform):
    """Pillow images in another size; with one number that is the length of the shorter side."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ):
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def __call__(self, img: Any) -> Any:
        return resize_image(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(ImageTransform):
    """The middle of the image."""

    def __init__(self, size: int | Sequence[int]):
        self.size = pair_of(size)

    def __call__(self, img: Any) -> Any:
        return center_crop(img, self.size)


class FiveCrop(ImageTransform):
    """The four corners and the middle."""

    def __init__(self, size: int | Sequence[int]):
        self.size = pair_of(size)

    def __call__(self, img: Any) -> tuple[Any, Any, Any, Any, Any]:
        return five_crop(img, self.size)


class Pad(ImageTransform):
    """The image with a border."""

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"):
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, img: Any) -> Any:
        return pad_image(img, self.padding, self.fill, self.padding_mode)


class Lambda(ImageTransform):
    """A function as a transform."""

    def __init__(self, lambd: Callable):
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class Grayscale(ImageTransform):
    """The brightness, in one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1):
        self.num_output_channels = num_output_channels

    def __call__(self, img: Any) -> Any:
        return rgb_to_grayscale(img, self.num_output_channels)


class RandomGrayscale(ImageTransform):
    """The brightness in as many channels as the image has, with probability `p`."""

    def __init__(self, p: float = 0.1):
        self.p = p

    def __call__(self, img: Any) -> Any:
        image = as_image(img)
        if host_random().random() >= self.p:
            return image
        channels = len(image.getbands()) if isinstance(image, Image.Image) else image.shape[-3]
        return rgb_to_grayscale(image, channels)


class RandomHorizontalFlip(ImageTransform):
    """Left and right exchanged with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def __call__(self, img: Any) -> Any:
        image = as_image(img)
        return hflip(image) if host_random().random() < self.p else image


class RandomVerticalFlip(ImageTransform):
    """Top and bottom exchanged with probability `p`."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def __call__(self, img: Any) -> Any:
        image = as_image(img)
        return vflip(image) if host_random().random() < self.p else image


class RandomCrop(ImageTransform):
    """A part at a random place, of the image with a border around it."""

    def __init__(
        self,
        size: int | Sequence[int],
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        self.size, self.padding, self.pad_if_needed = pair_of(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    def __call__(self, img: Any) -> Any:
        image = as_image(img)
        if self.padding is not None:
            image = pad_image(image, self.padding, self.fill, self.padding_mode)
        height, width = self.size
        rows, columns = height_and_width(image)
        if self.pad_if_needed and columns < width:
            image = pad_image(image, [width - columns, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and rows < height:
            image = pad_image(image, [0, height - rows], self.fill, self.padding_mode)
        rows, columns = height_and_width(image)
        if rows < height or columns < width:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {(rows, columns)}")
        top, left = (int(host_random().integers(free + 1)) for free in (rows - height, columns - width))
        return crop_image(image, top, left, height, width)


class RandomResizedCrop(ImageTransform):
    """A part of random area and shape of a Pillow image, in the size `size`."""

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ):
        self.size, self.scale, self.ratio = pair_of(size), scale, ratio
        self.interpolation, self.antialias = interpolation, antialias

    def part(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """Top, left, height and width; the middle where ten draws do not fit into the image."""
        draw = host_random()
        for _ in range(10):
            area = rows * columns * draw.uniform(*self.scale)
            ratio = math.exp(draw.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= columns and 0 < height <= rows:
                return int(draw.integers(rows - height + 1)), int(draw.integers(columns - width + 1)), height, width
        height, width = rows, columns
        if columns / rows < min(self.ratio):
            height = round(columns / min(self.ratio))
        elif columns / rows > max(self.ratio):
            width = round(rows * max(self.ratio))
        return (rows - height) // 2, (columns - width) // 2, height, width

    def __call__(self, img: Any) -> Any:
        part = self.part(*height_and_width(as_image(img)))
        return resized_crop(img, *part, self.size, self.interpolation, self.antialias)


class RandomErasing(ImageTransform):
    """With probability `p` a random rectangle of an array `[channels, height, width]` is overwritten.

    value: a number, one for each channel, or 'random' for normally distributed ones.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ):
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    def __call__(self, img: Any) -> Any:
        image, draw = as_image(img), host_random()
        if isinstance(image, Image.Image):
            raise TypeError("RandomErasing takes arrays: put it behind ToTensor()")
        if draw.random() >= self.p:
            return img
        channels, rows, columns = image.shape[-3:]
        for _ in range(10):
            area = rows * columns * draw.uniform(*self.scale)
            ratio = math.exp(draw.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if height < rows and width < columns:
                break
        else:
            return img
        top, left = int(draw.integers(rows - height + 1)), int(draw.integers(columns - width + 1))
        if isinstance(self.value, str):
            values = draw.standard_normal((channels, height, width))
        else:
            values = np.asarray(self.value, float).reshape(-1, 1, 1)
        result = image if self.inplace and image is img and image.flags.writeable else image.copy()
        result[..., top : top + height, left : left + width] = values
        return result


class RandomApply(ImageTransform):
    """All of several transforms with probability `p`, or none."""

    def __init__(self, transforms: Sequence[Callable], p: float = 0.5):
        self.transforms, self.p = transforms, p

    def __call__(self, img: Any) -> Any:
        if self.p < host_random().random():
            return on_host(img)
        for transform in self.transforms:
            img = transform(on_host(img))
        return img


class RandomOrder(ImageTransform):
    """Several transforms in a random order."""

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for place in order:
            img = self.transforms[place](on_host(img))
        return img


class RandomChoice(ImageTransform):
    """One of several transforms, with the probabilities `p`."""

    def __init__(self, transforms: Sequence[Callable], p: Sequence[float] | None = None):
        self.transforms, self.p = transforms, p

    def __call__(self, img: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](on_host(img))
