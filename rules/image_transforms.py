"""Image transforms of `torchvision.transforms`: helpers of the same names on Pillow images and arrays of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import closed_like
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_PACKAGE = "torchvision.transforms."
_CLASSES = {
    "Compose": "transforms", "ToTensor": "", "PILToTensor": "", "ToImage": "", "ConvertImageDtype": "dtype",
    "ToDtype": "dtype scale", "Normalize": "mean std inplace", "Resize": "size interpolation max_size antialias",
    "CenterCrop": "size", "FiveCrop": "size", "Pad": "padding fill padding_mode", "Lambda": "lambd",
    "Grayscale": "num_output_channels", "RandomGrayscale": "p", "RandomHorizontalFlip": "p", "RandomVerticalFlip": "p",
    "RandomCrop": "size padding pad_if_needed fill padding_mode", "RandomApply": "transforms p",
    "RandomResizedCrop": "size scale ratio interpolation antialias", "RandomErasing": "p scale ratio value inplace",
    "RandomOrder": "transforms", "RandomChoice": "transforms p",
}  # fmt: skip
#: torchvision's name: the helper's, and the arguments.
_FUNCTIONS = {
    "to_tensor": ("to_tensor", "pic"), "pil_to_tensor": ("pil_to_tensor", "pic"), "hflip": ("hflip", "img"),
    "to_image": ("to_image", "pic"), "normalize": ("normalize_image", "tensor mean std inplace"),
    "pad": ("pad_image", "img padding fill padding_mode"), "crop": ("crop_image", "img top left height width"),
    "center_crop": ("center_crop", "img output_size"), "five_crop": ("five_crop", "img size"),
    "vflip": ("vflip", "img"), "resize": ("resize_image", "img size interpolation max_size antialias"),
    "resized_crop": ("resized_crop", "img top left height width size interpolation antialias"),
    "rgb_to_grayscale": ("rgb_to_grayscale", "img num_output_channels"),
    "to_grayscale": ("rgb_to_grayscale", "img num_output_channels"),
    "convert_image_dtype": ("convert_image_dtype", "image dtype"),
}  # fmt: skip
_ENUM = "InterpolationMode"
_REMEDY = "on Pillow images torchvision's own still works; for arrays write it with NumPy in the dataset"


@dataclass(frozen=True)
class ImageTransform:
    """A transform under construction or applied, or its class or function mentioned (`arguments` is None)."""

    helper: str
    path: str
    arguments: tuple[cst.Arg, ...] | None


def _known(path: str) -> tuple[str, str] | None:
    """The helper for a path of torchvision, and its arguments; None if there is none."""
    parts = path.removeprefix(_PACKAGE).split(".")
    if parts[0] in ("v2", "transforms") and len(parts) > 1:
        parts = parts[1:]
    match parts:
        case [name] if name in _CLASSES:
            return name, _CLASSES[name]
        case ["functional" | "F", name] if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        case [*_, name] if name == _ENUM:
            return name, ""
    return None


def read_call(node: cst.Call, context: FileContext) -> ImageTransform | Refusal | None:
    """`transforms.RandomCrop(32, padding=4)`, `TF.hflip(image)`."""
    path = context.direct_path(node.func) or ""
    if not path.startswith(_PACKAGE):
        return None
    found = _known(path)
    if found is None:
        return Refusal(f"{path.removeprefix(_PACKAGE)} has no counterpart: {_REMEDY}", node, path)
    helper, names = found[0], found[1].split()
    for index, argument in enumerate(node.args):
        if argument.keyword is not None and argument.keyword.value not in names:
            return Refusal(f"the argument {argument.keyword.value} of {helper} is not known", node, path)
        if argument.star != "**" and argument.keyword is None and not argument.star and index >= len(names):
            return Refusal(f"{helper} with more than {len(names)} arguments", node, path)
    return ImageTransform(helper, path, tuple(node.args))


def read_name(node: cst.Attribute | cst.Name, context: FileContext) -> ImageTransform | Refusal | None:
    """`InterpolationMode.BICUBIC`, `transform: Compose`, `transform or to_tensor`."""
    path = context.direct_path(node) or ""
    if not path.startswith(_PACKAGE):
        return None
    if isinstance(context.stack[-2], cst.Arg) and isinstance(context.stack[-3], cst.ClassDef):
        # Which of its methods such a class replaces, only torchvision calls.
        return Refusal(f"a class of your own over {path}: write it as a plain class with __call__", node, path)
    found = _known(path)
    return None if found is None else ImageTransform(found[0], path, None)


def write(construct: ImageTransform, node: cst.CSTNode, context: FileContext) -> Any:
    """The helper."""
    context.converted(node, op="image_transform", api=construct.path, rule="image_transforms")
    function = context.helper(construct.helper)
    if construct.arguments is None:
        return function
    assert isinstance(node, cst.Call)
    return node.with_changes(func=function, args=closed_like(node, [context.rewrite(a) for a in construct.arguments]))


RULES = (
    Rule("image_transform", (cst.Call,), {"torch": read_call}, {"jax": write}, order=25),
    Rule("image_transform_class", (cst.Attribute, cst.Name), {"torch": read_name}, {"jax": write}, order=25),
)
