"""The packages that are converted for the programs: sources, what they need beside them, and their conversion."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ivy_convert.rewriter.repository import TreeResult, convert_files

from ..sweep import cache_folder, package_files
from .programs import Case, program
from .transformers_cases import GROUP, transformers_files

#: Distributions that are converted together, with the import packages taken from them.
GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "vit": {"vit-pytorch": ("vit_pytorch",)},
    "x_transformers": {"x-transformers": ("x_transformers",), "torch-einops-utils": ("torch_einops_utils",)},
    "diffusion": {"denoising-diffusion-pytorch": ("denoising_diffusion_pytorch",), "ema-pytorch": ("ema_pytorch",)},
    "quantize": {"vector-quantize-pytorch": ("vector_quantize_pytorch",), "torch-einops-utils": ("torch_einops_utils",)},
    "timm": {"timm": ("timm",), "segmentation-models-pytorch": ("segmentation_models_pytorch",)},
    "metric": {"pytorch-metric-learning": ("pytorch_metric_learning",)},
    "torchmetrics": {"torchmetrics": ("torchmetrics",)},
    "kornia": {"kornia": ("kornia",)},
    "programs": {},
    "transformers": {},
    "papers": {
        "block-recurrent-transformer-pytorch": ("block_recurrent_transformer_pytorch",),
        "bottleneck-transformer-pytorch": ("bottleneck_transformer_pytorch",),
        "feedback-transformer-pytorch": ("feedback_transformer_pytorch",), "glom-pytorch": ("glom_pytorch",),
        "h-transformer-1d": ("h_transformer_1d",), "halonet-pytorch": ("halonet_pytorch",),
        "invariant-point-attention": ("invariant_point_attention",), "lambda-networks": ("lambda_networks",),
        "linformer": ("linformer",), "mega-pytorch": ("mega_pytorch",), "nystrom-attention": ("nystrom_attention",),
        "piq": ("piq",), "res-mlp-pytorch": ("res_mlp_pytorch",),
        "rotary-embedding-torch": ("rotary_embedding_torch",), "segformer-pytorch": ("segformer_pytorch",),
        "slot-attention": ("slot_attention",), "timesformer-pytorch": ("timesformer_pytorch",),
        "token-shift-gpt": ("token_shift_gpt",), "torch-einops-utils": ("torch_einops_utils",),
        "torchdiffeq": ("torchdiffeq",), "vector-quantize-pytorch": ("vector_quantize_pytorch",), "uformer-pytorch": ("uformer_pytorch",), "x-unet": ("x_unet",),
    },
    "gpytorch": {"gpytorch": ("gpytorch",), "linear-operator": ("linear_operator",)},
    "geometric": {"torch-geometric": ("torch_geometric",)},
    "research": {
        "axial-attention": ("axial_attention",), "axial-positional-embedding": ("axial_positional_embedding",),
        "byol-pytorch": ("byol_pytorch",), "colt5-attention": ("colt5_attention",), "conformer": ("conformer",),
        "efficientnet-pytorch": ("efficientnet_pytorch",), "egnn-pytorch": ("egnn_pytorch",),
        "g-mlp-pytorch": ("g_mlp_pytorch",), "gateloop-transformer": ("gateloop_transformer",),
        "hyper-connections": ("hyper_connections",), "itransformer": ("iTransformer",),
        "linear-attention-transformer": ("linear_attention_transformer",), "lion-pytorch": ("lion_pytorch",),
        "local-attention": ("local_attention",), "mambapy": ("mambapy",), "mingru-pytorch": ("minGRU_pytorch",),
        "mixture-of-experts": ("mixture_of_experts",), "mlp-mixer-pytorch": ("mlp_mixer_pytorch",),
        "perceiver-pytorch": ("perceiver_pytorch",), "performer-pytorch": ("performer_pytorch",),
        "product-key-memory": ("product_key_memory",), "pytorch-msssim": ("pytorch_msssim",),
        "pytorch-tabnet": ("pytorch_tabnet",), "pytorch-tcn": ("pytorch_tcn",),
        "rotary-embedding-torch": ("rotary_embedding_torch",),
        "siren-pytorch": ("siren_pytorch",), "soft-moe-pytorch": ("soft_moe_pytorch",),
        "torch-einops-utils": ("torch_einops_utils",),
    },
}  # fmt: skip
#: What the packages import besides, none of it array code that would have to be converted.
DEPENDENCIES = (
    "accelerate==1.15.0", "aiohttp==3.14.5", "einx==0.4.3", "filelock==4.2.11", "frozendict==2.5.1", "fsspec==2026.9.0",
    "httpx==0.28.1", "beartype==0.23.1", "httpcore2==2.16.2", "linformer==0.2.3", "truststore==0.10.5", "x-mlps-pytorch==0.6.9",
    "httpx2==2.16.2", "huggingface_hub==2.4.0", "jaxtyping==0.3.11", "joblib==1.6.0", "kornia-rs==0.2.0",
    "lightning-utilities==0.15.3", "loguru==0.7.3", "mpmath==1.4.1", "pillow==13.0.0", "psutil==7.2.2",
    "regex==2026.11.15", "requests==2.34.2", "safetensors==0.8.0", "scikit-learn==1.9.1", "tokenizers==0.23.3", "tqdm==4.70.1",
)  # fmt: skip


def dependencies() -> Path:
    """The folder with what the packages import besides, installed on first use."""
    folder = cache_folder() / "dependencies"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--target", str(folder), *DEPENDENCIES], check=True)
    return folder


def sources(group: str, cases: Iterable[Case]) -> dict[str, bytes]:
    """The group's Python files by path, with the programs of the cases beside the packages."""
    files = {f"{case.module}.py": program(case).encode() for case in cases}
    if group == GROUP:
        files |= transformers_files()
    for distribution, packages in GROUPS[group].items():
        for path, data in package_files(distribution).items():
            if path.partition("/")[0] in packages:
                files[path] = data
    return files


def convert(files: Mapping[str, bytes], folder: Path) -> TreeResult:
    """Convert a group to JAX and write the result below `folder`."""
    result = convert_files(files, "torch", "jax")
    write(folder, {**result.files, **result.helpers})
    return result


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by path below a folder."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
