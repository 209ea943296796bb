"""The models that are compared, as small as their code allows: JSON values only, since they go to other processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One model with its inputs.

    model: `{"$": "package.module.Class", argument: value}`; arguments may be objects of the same form.
    inputs: `floats(...)`, `integers(high, ...)` or `mask(...)`, by position or under their "keyword"; then `keywords`.
    training: in training mode, dropout 0. method: what is called, the model itself if empty.
    compiled: the JAX side runs under `jax.jit`. quick: belongs to the everyday tests.
    forward, backward: relative tolerances; wider where norms of almost constant inputs magnify rounding (in double
    precision those agree to 1e-12).
    """

    name: str
    model: dict[str, Any]
    inputs: tuple[dict[str, Any], ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    training: bool = False
    method: str = ""
    compiled: bool = True
    quick: bool = False
    forward: float = 1e-5
    backward: float = 1e-4

    def to_json(self) -> dict[str, Any]:
        """What the worker reads."""
        return asdict(self)


def floats(*shape: int) -> dict[str, Any]:
    """A float32 input."""
    return {"shape": list(shape)}


def integers(high: int, *shape: int) -> dict[str, Any]:
    """An integer input of values below `high`."""
    return {"shape": list(shape), "high": high}


def mask(*shape: int) -> dict[str, Any]:
    """A boolean input."""
    return {"shape": list(shape), "high": 1}


IMAGE = (floats(2, 3, 32, 32),)
SMALL = {"num_classes": 5, "dim": 32, "depth": 2, "heads": 2, "dim_head": 8, "mlp_dim": 40}
PATCHES = {"image_size": 32, "patch_size": 8, **SMALL}


def vit(name: str, path: str, inputs: tuple[dict[str, Any], ...] = IMAGE, arguments: Any = None, **case: Any) -> Case:
    """A model of vit_pytorch."""
    return Case(name, {"$": f"vit_pytorch.{path}", **(PATCHES if arguments is None else arguments)}, inputs, **case)


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


_VIDEO = {"image_size": 16, "image_patch_size": 8, "frames": 4, "frame_patch_size": 2}
_CROSS = {"image_size": 32, "num_classes": 5, "sm_dim": 16, "lg_dim": 24, "sm_patch_size": 8, "sm_enc_depth": 1,
          "sm_enc_heads": 2, "sm_enc_mlp_dim": 20, "sm_enc_dim_head": 8, "lg_patch_size": 16, "lg_enc_depth": 1,
          "lg_enc_heads": 2, "lg_enc_mlp_dim": 24, "lg_enc_dim_head": 8, "cross_attn_depth": 1, "cross_attn_heads": 2,
          "cross_attn_dim_head": 8, "depth": 2}  # fmt: skip
_CVT = {"num_classes": 5, **{f"s{i}_{k}": v for i, dim in ((1, 8), (2, 16), (3, 24)) for k, v in
        (("emb_dim", dim), ("heads", 1 if i == 1 else 2), ("depth", 1), ("mlp_mult", 2))}}  # fmt: skip
_TWINS = {"num_classes": 5, "s3_depth": 1, "s4_depth": 1, **{
    f"s{i}_{k}": v for i in (1, 2, 3, 4)
    for k, v in (("emb_dim", 8 * i), ("patch_size", 2), ("local_patch_size", 2), ("global_k", 2))}}  # fmt: skip
_STAGES = {"num_classes": 5, "dim": [8, 12, 16, 24], "depth": [1, 1, 1, 1]}

VIT_CASES = (
    vit("vit", "vit.ViT", quick=True),
    vit("vit_mean", "vit.ViT", arguments={**PATCHES, "pool": "mean"}),
    vit("simple_vit", "simple_vit.SimpleViT", quick=True),
    vit("simple_vit_1d", "simple_vit_1d.SimpleViT", (floats(2, 3, 32),),
        {**SMALL, "seq_len": 32, "patch_size": 8}),
    vit("simple_vit_3d", "simple_vit_3d.SimpleViT", (floats(2, 3, 4, 16, 16),), {**SMALL, **_VIDEO}),
    vit("vit_1d", "vit_1d.ViT", (floats(2, 3, 32),), {**SMALL, "seq_len": 32, "patch_size": 8}),
    vit("vit_3d", "vit_3d.ViT", (floats(2, 3, 4, 16, 16),), {**SMALL, **_VIDEO}),
    vit("vivit", "vivit.ViViT", (floats(2, 3, 4, 16, 16),),
        {**_without(SMALL, "depth"), **_VIDEO, "spatial_depth": 1, "temporal_depth": 1, "use_flash_attn": False}),
    vit("vivit_attention", "vivit.ViViT", (floats(2, 3, 4, 16, 16),),
        {**_without(SMALL, "depth"), **_VIDEO, "spatial_depth": 1, "temporal_depth": 1, "use_flash_attn": False,
         "variant": "factorized_self_attention"}),
    vit("deepvit", "deepvit.DeepViT"),
    vit("cait", "cait.CaiT", arguments={**PATCHES, "cls_depth": 1, "layer_dropout": 0.0}),
    vit("pit", "pit.PiT", arguments={**PATCHES, "depth": [1, 1]}),
    vit("cct", "cct.CCT", arguments={"img_size": 32, "embedding_dim": 24, "n_conv_layers": 2, "num_layers": 2,
        "num_heads": 2, "mlp_ratio": 2, "num_classes": 5, "positional_embedding": "learnable", "kernel_size": 3,
        "stride": 1, "padding": 1}),
    vit("cct_3d", "cct_3d.CCT", (floats(2, 3, 4, 16, 16),), {"img_size": 16, "num_frames": 4, "embedding_dim": 24,
        "n_conv_layers": 1, "num_layers": 2, "num_heads": 2, "mlp_ratio": 2, "num_classes": 5, "kernel_size": 3,
        "positional_embedding": "learnable", "stride": 1, "padding": 1, "frame_kernel_size": 3}),
    vit("cross_vit", "cross_vit.CrossViT", arguments=_CROSS),
    vit("levit", "levit.LeViT", arguments={"image_size": 32, "num_classes": 5, "stages": 2, "dim": [16, 24],
        "depth": 1, "heads": [2, 2], "mlp_mult": 2, "dim_key": 8, "dim_value": 8, "num_distill_classes": 3}),
    vit("levit_train", "levit.LeViT", arguments={"image_size": 32, "num_classes": 5, "stages": 2, "dim": [16, 24],
        "depth": 1, "heads": [2, 2], "mlp_mult": 2, "dim_key": 8, "dim_value": 8}, training=True),
    vit("cvt", "cvt.CvT", arguments=_CVT),
    vit("cvt_train", "cvt.CvT", arguments=_CVT, training=True, forward=1e-4, backward=2e-3),
    vit("twins_svt", "twins_svt.TwinsSVT", (floats(2, 3, 32, 32),), _TWINS),
    vit("regionvit", "regionvit.RegionViT", (floats(1, 3, 64, 64),), {**_STAGES, "window_size": 2}),
    vit("crossformer", "crossformer.CrossFormer", (floats(1, 3, 64, 64),), {**_STAGES, "dim": [32, 32, 64, 64],
        "local_window_size": 2, "global_window_size": [2, 2, 2, 1]}),
    vit("scalable_vit", "scalable_vit.ScalableViT", (floats(1, 3, 32, 32),), {"num_classes": 5, "dim": 8,
        "heads": [2, 2, 2, 2], "depth": [1, 1, 1, 1], "ssa_dim_key": [4, 4, 4, 4], "reduction_factor": [2, 2, 1, 1],
        "window_size": [4, 2, None, None]}),
    vit("max_vit", "max_vit.MaxViT", (floats(1, 3, 32, 32),), {"num_classes": 5, "dim_conv_stem": 8, "dim": 16,
        "dim_head": 8, "depth": [1, 1], "window_size": 4, "mbconv_expansion_rate": 2}),
    vit("max_vit_train", "max_vit.MaxViT", (floats(2, 3, 32, 32),), {"num_classes": 5, "dim_conv_stem": 8,
        "dim": 16, "dim_head": 8, "depth": [1, 1], "window_size": 4, "dropout": 0.0}, training=True),
    vit("nest", "nest.NesT", arguments={"image_size": 32, "patch_size": 4, "num_classes": 5, "dim": 8, "heads": 2,
        "num_hierarchies": 2, "block_repeats": [1, 1], "dim_head": 8, "mlp_mult": 2}),
    vit("mobile_vit", "mobile_vit.MobileViT", (floats(1, 3, 64, 64),), {"image_size": [64, 64],
        "dims": [12, 16, 20], "channels": [4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24], "num_classes": 5,
        "depths": [1, 1, 1]}),
    vit("mobile_vit_train", "mobile_vit.MobileViT", (floats(2, 3, 64, 64),), {"image_size": [64, 64],
        "dims": [12, 16, 20], "channels": [4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24], "num_classes": 5,
        "depths": [1, 1, 1]}, training=True),
    vit("xcit", "xcit.XCiT", arguments={**PATCHES, "cls_depth": 1}),
    vit("parallel_vit", "parallel_vit.ViT"),
    vit("rvt", "rvt.RvT", quick=True),
    vit("t2t", "t2t.T2TViT", arguments={**_without(PATCHES, "patch_size"), "t2t_layers": [[3, 2], [3, 2]]}),
    vit("patch_merger", "vit_with_patch_merger.ViT", arguments={**PATCHES, "depth": 3, "patch_merge_num_tokens": 4}),
    vit("look_vit", "look_vit.LookViT", (floats(1, 3, 32, 32),), {"image_size": 32, "num_classes": 5, "dim": 16,
        "depth": 1, "heads": 2, "dim_head": 8, "patch_size": 8, "highres_patch_size": 4, "cross_attn_heads": 2,
        "cross_attn_dim_head": 8, "mlp_factor": 2, "highres_mlp_factor": 2}),
    vit("small_dataset", "vit_for_small_dataset.ViT"),
    vit("keel", "vit_with_keel_post_ln.ViT"),
    vit("patch_dropout", "vit_with_patch_dropout.ViT"),
    vit("simple_patch_dropout", "simple_vit_with_patch_dropout.SimpleViT"),
    vit("qk_norm", "simple_vit_with_qk_norm.SimpleViT"),
    vit("registers", "simple_vit_with_register_tokens.SimpleViT"),
    vit("value_residual", "simple_vit_with_value_residual.SimpleViT"),
    vit("hyper_connections", "simple_vit_with_hyper_connections.SimpleViT",
        arguments={**PATCHES, "num_residual_streams": 2}),
    vit("fft", "simple_vit_with_fft.SimpleViT", arguments={**PATCHES, "freq_patch_size": 8}),
    vit("specialized_cls", "simple_vit_with_specialized_cls.SimpleViT"),
    vit("relative_position", "simple_vit_with_relative_proj_pos_bias.SimpleViT"),
    vit("sparse_gating", "simple_vit_with_sparse_gating.SimpleViTWithSparseGating"),
    vit("attention_residual", "simple_vit_attn_residual.SimpleViTAttnResidual"),
    vit("orthogonal_residual", "simple_vit_orthog_residual_update.SimpleViT"),
    vit("dca", "attn_residual_with_dca_simple_vit.SimpleViT"),
    vit("simple_uvit", "simple_uvit.SimpleUViT"),
    vit("decorr", "vit_with_decorr.ViT"),
    vit("vit_5", "vit_5.ViT"),
    vit("jet_vit", "jet_vit.JetViT", arguments={**PATCHES, "window_size": 2}),
    vit("jumbo_vit", "jumbo_vit.JumboViT", arguments=_without(PATCHES, "mlp_dim") | {"mlp_dim": 40, "jumbo_cls_k": 2},
        forward=1e-4, backward=2e-3),
    vit("looped_vit", "looped_vit.LoopedViT", arguments={**_without(PATCHES, "depth"), "pre_loop_depth": 1,
        "num_looped_blocks": 1, "post_loop_depth": 1, "loop_depth": 2}),
    vit("ats_vit", "ats_vit.ViT", arguments={**PATCHES, "max_tokens_per_depth": [8, 4]}, compiled=False),
    vit("vit_detpool", "vit_detpool.ViTDetPool"),
    vit("mp3", "mp3.MP3", arguments={"vit": {"$": "vit_pytorch.mp3.ViT", "num_classes": 5, "image_size": 32,
        "patch_size": 8, "dim": 32, "depth": 1, "heads": 2, "mlp_dim": 40, "dim_head": 8}, "masking_ratio": 0.5}),
    vit("memory", "learnable_memory_vit.Adapter", arguments={"vit": {"$": "vit_pytorch.learnable_memory_vit.ViT",
        **PATCHES}, "num_memories_per_layer": 3, "num_classes": 4}),
    vit("efficient", "efficient.ViT", arguments={"image_size": 32, "patch_size": 8, "num_classes": 5, "dim": 32,
        "transformer": {"$": "vit_pytorch.vit.Transformer", "dim": 32, "depth": 1, "heads": 2, "dim_head": 8,
        "mlp_dim": 40}}),
    vit("distill", "distill.DistillableViT"),
)  # fmt: skip


_DECODER = {"$": "x_transformers.x_transformers.Decoder", "dim": 32, "depth": 2, "heads": 2, "attn_dim_head": 8}
_ENCODER = {**_DECODER, "$": "x_transformers.x_transformers.Encoder"}


def language(name: str, layers: dict[str, Any] | None = None, keywords: dict[str, Any] | None = None, *,
             wrapper: dict[str, Any] | None = None, decoder: bool = True, **case: Any) -> Case:  # fmt: skip
    """A TransformerWrapper around attention layers of some configuration."""
    attention = {**(_DECODER if decoder else _ENCODER), **(layers or {})}
    model = {"$": "x_transformers.x_transformers.TransformerWrapper", "num_tokens": 20, "max_seq_len": 12,
             "attn_layers": attention, **(wrapper or {})}  # fmt: skip
    return Case(f"x_{name}", model, (integers(20, 2, 12),), keywords or {}, **case)


def _wrapped(wrapper: str, **arguments: Any) -> dict[str, Any]:
    net = {"$": "x_transformers.x_transformers.TransformerWrapper", "num_tokens": 20, "max_seq_len": 12,
           "attn_layers": _DECODER}  # fmt: skip
    return {"$": f"x_transformers.{wrapper}", "net": net, **arguments}


X_CASES = (
    language("decoder"),
    language("encoder", decoder=False),
    language("rotary", {"rotary_pos_emb": True}),
    language("rotary_xpos", {"rotary_pos_emb": True, "rotary_xpos": True}),
    language("alibi", {"alibi_pos_bias": True, "alibi_num_heads": 1}),
    language("relative", {"rel_pos_bias": True}),
    language("dynamic_position", {"dynamic_pos_bias": True, "dynamic_pos_bias_log_distance": False}),
    language("rmsnorm_glu", {"use_rmsnorm": True, "ff_glu": True, "ff_swish": True}, quick=True),
    language("scalenorm", {"use_scalenorm": True, "ff_relu_squared": True}),
    language("multi_query", {"attn_one_kv_head": True}),
    language("grouped_query", {"heads": 4, "attn_kv_heads": 2}),
    language("flash", {"attn_flash": True}),
    language("flash_encoder_mask", {"attn_flash": True, "rotary_pos_emb": True}, decoder=False),
    language("qk_norm", {"attn_qk_norm": True, "attn_qk_norm_groups": 2}),
    language("talking_heads", {"attn_pre_talking_heads": True, "attn_post_talking_heads": True}),
    language("sandwich", {"sandwich_norm": True, "macaron": True}),
    language("residual_gate", {"gate_residual": True, "scale_residual": True}),
    language("sparse_topk", {"attn_sparse_topk": 4}),
    language("value_residual", {"add_value_residual": True, "learned_value_residual_mix": True}),
    language("hyper_connections", {"num_residual_streams": 2}),
    language("dynamic_tanh", {"use_dynamic_tanh": True}),
    language("memory_tokens", wrapper={"num_memory_tokens": 3}),
    language("gradient_fraction", wrapper={"emb_frac_gradient": 0.5}),
    language("sinusoidal", wrapper={"scaled_sinu_pos_emb": True, "use_abs_pos_emb": True}),
    language("embeddings", keywords={"return_embeddings": True, "return_intermediates": False}),
    language("shift_tokens", {"shift_tokens": 1}),
    language("forgetting", {"attn_data_dependent_alibi": True}),
    language("polar", {"polar_pos_emb": True}),
    language("softclamp", {"attn_softclamp_logits": True, "softclamp_output": True}),
    Case("x_xtransformer", {"$": "x_transformers.x_transformers.XTransformer", "dim": 32, "enc_num_tokens": 20,
         "enc_depth": 1, "enc_heads": 2, "enc_max_seq_len": 12, "dec_num_tokens": 20, "dec_depth": 1, "dec_heads": 2,
         "dec_max_seq_len": 10, "enc_attn_dim_head": 8, "dec_attn_dim_head": 8},
         (integers(20, 2, 12), integers(20, 2, 10))),
    Case("x_vit", {"$": "x_transformers.x_transformers.ViTransformerWrapper", "image_size": 16, "patch_size": 8,
         "num_classes": 5, "attn_layers": _ENCODER}, (floats(2, 3, 16, 16),)),
    Case("x_continuous", {"$": "x_transformers.continuous.ContinuousTransformerWrapper", "dim_in": 6, "dim_out": 7,
         "max_seq_len": 12, "attn_layers": _ENCODER}, (floats(2, 12, 6), {**mask(2, 12), "keyword": "mask"})),
    Case("x_continuous_autoregressive", {"$": "x_transformers.continuous.ContinuousAutoregressiveWrapper", "net": {
         "$": "x_transformers.continuous.ContinuousTransformerWrapper", "dim_in": 6, "dim_out": 6,
         "max_seq_len": 12, "attn_layers": _DECODER}}, (floats(2, 12, 6),)),
    Case("x_autoregressive", _wrapped("autoregressive_wrapper.AutoregressiveWrapper"), (integers(20, 2, 12),),
         quick=True),
    Case("x_autoregressive_mask", _wrapped("autoregressive_wrapper.AutoregressiveWrapper", mask_prob=0.3),
         (integers(20, 2, 12),)),
    Case("x_neo_mlp", {"$": "x_transformers.neo_mlp.NeoMLP", "dim_in": 5, "dim_hidden": 6, "dim_out": 4,
         "dim_model": 16, "depth": 2}, (floats(3, 5),)),
    Case("x_xval", {"$": "x_transformers.xval.XValTransformerWrapper", "num_tokens": 20, "numerical_token_id": 3,
         "max_seq_len": 12, "attn_layers": _DECODER}, (integers(20, 2, 12), floats(2, 12))),
)  # fmt: skip

CASES = (*VIT_CASES, *X_CASES)
