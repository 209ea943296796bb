"""The models that are compared: as small as their code allows, of as many families as the packages hold."""

from __future__ import annotations

from typing import Any

from .paper_cases import PAPERS
from .programs import Case, booleans, floats, integers, unit_floats
from .transformers_cases import TRANSFORMERS
from .written_cases import PROGRAMS

IMAGES = {"x": floats(2, 3, 32, 32), "y": integers(5, 2)}
CLASSIFY = "F.cross_entropy(output, y)"
TOKENS = {"x": integers(20, 2, 12)}
NEXT_TOKEN = "F.cross_entropy(output[:, :-1].transpose(1, 2), x[:, 1:])"
SMALL_VIT = "image_size=32, patch_size=8, num_classes=5, dim=32, depth=2, heads=2, dim_head=8, mlp_dim=40"


def vit(name: str, imports: str, model: str, kind: str = "ViT", **changes: Any) -> Case:
    """An image classifier of vit-pytorch with five classes."""
    values: dict[str, Any] = {"inputs": IMAGES, "loss": CLASSIFY, **changes}
    return Case(name, kind, "vit", imports, model, **values)


def timm(name: str, prelude: str, model: str, kind: str = "CNN", **changes: Any) -> Case:
    """An image classifier of timm with five classes."""
    values: dict[str, Any] = {"inputs": IMAGES, "loss": CLASSIFY, **changes}
    return Case(name, kind, "timm", prelude, model, **values)


def segmentation(name: str, model: str, **changes: Any) -> Case:
    """A segmentation model on a small encoder, trained on a Dice loss."""
    prelude = "import segmentation_models_pytorch as smp"
    values: dict[str, Any] = {
        "inputs": {"x": floats(2, 3, 64, 64), "y": integers(2, 2, 1, 64, 64)},
        "loss": 'smp.losses.DiceLoss("binary")(output, y)',
        **changes,
    }
    return Case(name, "segmentation", "timm", prelude, model, **values)


def metric(name: str, loss: str, **changes: Any) -> Case:
    """A loss of pytorch-metric-learning over the embeddings of a linear layer."""
    prelude = f"""
        from pytorch_metric_learning import distances, losses, miners

        class Embedding(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(6, 4)
                self.loss = {loss}

            def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
                return self.loss(self.linear(x), y)
        """
    values: dict[str, Any] = {
        "inputs": {"x": floats(12, 6), "y": integers(3, 12)},
        "call": "model(x, y)",
        "loss": "output.mean()",
        **changes,
    }
    return Case(name, "metric loss", "metric", prelude, "Embedding()", **values)


def image_operation(name: str, call: str, imports: str, kind: str = "geometry", **changes: Any) -> Case:
    """A differentiable image operation of kornia behind a convolution."""
    prelude = f"""
        {imports}

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.convolution = nn.Conv2d(3, 3, 3, padding=1)
                self.amount = nn.Parameter(torch.full((2,), 0.3))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                image = torch.sigmoid(self.convolution(x))
                return {call}
        """
    values: dict[str, Any] = {"inputs": {"x": unit_floats(2, 3, 16, 16)}, **changes}
    return Case(name, kind, "kornia", prelude, "Model()", **values)


def text_metric(name: str, call: str, imports: str, **changes: Any) -> Case:
    """A metric of torchmetrics as a loss over a linear layer."""
    values: dict[str, Any] = {
        "inputs": {"x": floats(8, 6), "y": floats(8, 4)},
        "call": f"({call},)",
        "loss": "output[0].mean()",
        **changes,
    }
    return Case(name, "metric", "torchmetrics", imports, "nn.Linear(6, 4)", **values)


VIT = (
    vit("vit", "from vit_pytorch.vit import ViT", f"ViT({SMALL_VIT})"),
    vit("simple_vit", "from vit_pytorch.simple_vit import SimpleViT", f"SimpleViT({SMALL_VIT})"),
    vit("deepvit", "from vit_pytorch.deepvit import DeepViT", f"DeepViT({SMALL_VIT})"),
    vit("mobile_vit", "from vit_pytorch.mobile_vit import MobileViT",
        "MobileViT(image_size=(64, 64), dims=[16, 24, 32], channels=[8, 8, 16, 16, 24, 24, 32, 32, 40, 40, 48], "
        "num_classes=5)", "CNN and ViT", inputs={"x": floats(2, 3, 64, 64), "y": integers(5, 2)}, forward=1e-4, backward=2e-3),
)  # fmt: skip
X_TRANSFORMERS = (
    Case("gpt", "GPT", "x_transformers", "from x_transformers import Decoder, TransformerWrapper",
         "TransformerWrapper(num_tokens=20, max_seq_len=16, attn_layers=Decoder(dim=32, depth=2, heads=2, "
         "attn_dim_head=8, rotary_pos_emb=True, ff_glu=True, use_rmsnorm=True))", TOKENS, loss=NEXT_TOKEN),
    Case("bert", "BERT", "x_transformers", "from x_transformers import Encoder, TransformerWrapper",
         "TransformerWrapper(num_tokens=20, max_seq_len=16, attn_layers=Encoder(dim=32, depth=2, heads=2, "
         "attn_dim_head=8))", {**TOKENS, "mask": booleans(2, 12)}, call="model(x, mask=mask)",
         loss="F.cross_entropy(output.transpose(1, 2), x)"),
    Case("encoder_decoder", "T5", "x_transformers", "from x_transformers import XTransformer",
         "XTransformer(dim=32, enc_num_tokens=20, enc_depth=1, enc_heads=2, enc_attn_dim_head=8, enc_max_seq_len=12, "
         "dec_num_tokens=20, dec_depth=1, dec_heads=2, dec_attn_dim_head=8, dec_max_seq_len=12)",
         {**TOKENS, "y": integers(20, 2, 12)}, call="(model(x, y),)", loss="output[0]"),
    Case("autoregressive", "GPT", "x_transformers",
         "from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper",
         "AutoregressiveWrapper(TransformerWrapper(num_tokens=20, max_seq_len=16, attn_layers=Decoder(dim=32, depth=1, "
         "heads=2, attn_dim_head=8, alibi_pos_bias=True)))", TOKENS, call="(model(x),)", loss="output[0]"),
)  # fmt: skip
DIFFUSION = (
    Case("diffusion_unet", "diffusion", "diffusion",
         "from denoising_diffusion_pytorch import GaussianDiffusion, Unet",
         "GaussianDiffusion(Unet(dim=16, dim_mults=(1, 2), flash_attn=False), image_size=16, timesteps=20)",
         {"x": unit_floats(2, 3, 16, 16)}, call="(model(x),)", loss="output[0]", forward=1e-4, backward=2e-3),
    Case("diffusion_1d", "diffusion", "diffusion",
         "from denoising_diffusion_pytorch import GaussianDiffusion1D, Unet1D",
         "GaussianDiffusion1D(Unet1D(dim=16, dim_mults=(1, 2), channels=4), seq_length=16, timesteps=20)",
         {"x": unit_floats(2, 4, 16)}, call="(model(x),)", loss="output[0]", forward=1e-4, backward=2e-3),
    Case("karras_unet", "U-Net", "diffusion", "from denoising_diffusion_pytorch.karras_unet import KarrasUnet",
         "KarrasUnet(image_size=16, dim=16, dim_max=32, channels=3, num_downsamples=2, num_blocks_per_stage=1, "
         "attn_res=(8,), fourier_dim=8, attn_dim_head=8)", {"x": floats(2, 3, 16, 16), "time": unit_floats(2)},
         call="model(x, time=time)", forward=1e-4, backward=2e-3),
)  # fmt: skip
QUANTIZE = (
    Case("vector_quantize", "VQ", "quantize", """
        from vector_quantize_pytorch import VectorQuantize

        class AutoEncoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.encoder = nn.Linear(6, 8)
                self.quantize = VectorQuantize(dim=8, codebook_size=16, decay=0.8, commitment_weight=1.0)
                self.decoder = nn.Linear(8, 6)

            def forward(self, x: torch.Tensor):
                quantized, indices, commitment = self.quantize(self.encoder(x))
                return self.decoder(quantized), commitment
        """, "AutoEncoder()", {"x": floats(2, 10, 6)}, loss="F.mse_loss(output[0], x) + output[1].mean()"),
    Case("finite_scalar_quantize", "VQ", "quantize", "from vector_quantize_pytorch import FSQ",
         "nn.Sequential(nn.Linear(8, 3), FSQ(levels=[8, 5, 5]))", {"x": floats(2, 10, 8)}, call="model(x)[0]"),
    Case("random_projection", "VQ", "quantize", "from vector_quantize_pytorch import SimVQ",
         "SimVQ(dim=8, codebook_size=16)", {"x": floats(2, 10, 8)}, call="(model(x)[0], model(x)[2])",
         loss="output[0].square().mean() + output[1].mean()"),
)  # fmt: skip
TIMM = (
    timm("resnet", "from timm.models.resnet import BasicBlock, ResNet",
         "ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)", forward=1e-4, backward=2e-3),
    timm("convnext", "from timm.models.convnext import ConvNeXt",
         "ConvNeXt(num_classes=5, depths=(1, 1, 1, 1), dims=(8, 12, 16, 24))", forward=1e-4, backward=2e-3),
    timm("vision_transformer", "from timm.models.vision_transformer import VisionTransformer",
         "VisionTransformer(img_size=32, patch_size=8, num_classes=5, embed_dim=24, depth=2, num_heads=2)", "ViT"),
    timm("swin", "from timm.models.swin_transformer import SwinTransformer",
         "SwinTransformer(img_size=32, patch_size=2, num_classes=5, embed_dim=12, depths=(2, 2), num_heads=(2, 4), "
         "window_size=4)", "ViT"),
    timm("mlp_mixer", "from timm.models.mlp_mixer import MlpMixer",
         "MlpMixer(num_classes=5, img_size=32, patch_size=8, num_blocks=2, embed_dim=24)", "MLP"),
    timm("densenet", "from timm.models.densenet import DenseNet",
         "DenseNet(growth_rate=4, block_config=(2, 2), num_classes=5)", forward=1e-4, backward=2e-3),
    timm("created_model", "import timm", 'timm.create_model("mobilenetv3_small_050", pretrained=False, num_classes=5)',
         forward=1e-4, backward=2e-3),
)  # fmt: skip
SEGMENTATION = (
    segmentation("unet", 'smp.Unet("mobileone_s0", encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 8))',
                 forward=1e-4, backward=5e-3),
    segmentation("feature_pyramid", 'smp.FPN("mit_b0", encoder_weights=None)', forward=1e-4, backward=5e-3,
                 loss='smp.losses.FocalLoss("binary")(output, y.float())'),
)  # fmt: skip
METRIC = (
    metric("triplet_margin", "losses.TripletMarginLoss(margin=0.2)"),
    metric("contrastive", "losses.ContrastiveLoss(distance=distances.CosineSimilarity(), pos_margin=1, neg_margin=0)"),
    metric("nt_xent", "losses.NTXentLoss(temperature=0.2)"),
    metric("arc_face", "losses.ArcFaceLoss(num_classes=3, embedding_size=4)"),
    metric("multi_similarity", "losses.MultiSimilarityLoss(alpha=2, beta=10, base=0.5)"),
)
TORCHMETRICS = (
    text_metric("structural_similarity",
                "structural_similarity_index_measure(model(x), y, data_range=1.0, gaussian_kernel=False, kernel_size=3)",
                "from torchmetrics.functional.image import structural_similarity_index_measure",
                inputs={"x": unit_floats(2, 3, 16, 6), "y": unit_floats(2, 3, 16, 4)}),
    text_metric("cosine_similarity", "pairwise_cosine_similarity(model(x), y)",
                "from torchmetrics.functional.pairwise import pairwise_cosine_similarity"),
    text_metric("pearson", "pearson_corrcoef(model(x), y)", "from torchmetrics.functional import pearson_corrcoef"),
    text_metric("accuracy", "F.cross_entropy(model(x), y), accuracy(model(x), y, task='multiclass', num_classes=4)",
                "from torchmetrics.functional import accuracy", inputs={"x": floats(8, 6), "y": integers(4, 8)}),
)  # fmt: skip
KORNIA = (
    image_operation("rotate", "rotate(image, self.amount * 40)", "from kornia.geometry.transform import rotate"),
    image_operation("warp_affine", "warp_affine(image, torch.eye(2, 3).repeat(2, 1, 1) + self.amount[:, None, None], "
                    "(12, 12))", "from kornia.geometry.transform import warp_affine"),
    image_operation("gaussian_blur", "gaussian_blur2d(image, (5, 5), (1.5, 1.5)) + sobel(image)",
                    "from kornia.filters import gaussian_blur2d, sobel", kind="filter"),
    image_operation("colour", "rgb_to_hsv(image) + rgb_to_lab(image)", "from kornia.color import rgb_to_hsv, rgb_to_lab",
                    kind="colour"),
    image_operation("ssim_loss", "SSIMLoss(5)(image, x)", "from kornia.losses import SSIMLoss", kind="loss",
                    loss="output.mean()"),
)  # fmt: skip
SEQUENCE = {"x": floats(2, 12, 16)}


def research(name: str, prelude: str, model: str, inputs: Any, kind: str, **changes: Any) -> Case:
    """A model of one of the small packages that hold one idea each."""
    return Case(name, kind, "research", prelude, model, inputs, **changes)


RESEARCH = (
    research("perceiver", "from perceiver_pytorch import Perceiver",
             "Perceiver(input_channels=3, input_axis=2, num_freq_bands=2, max_freq=4.0, depth=2, num_latents=8, "
             "latent_dim=16, cross_heads=1, latent_heads=2, cross_dim_head=8, latent_dim_head=8, num_classes=5)",
             {"x": floats(2, 8, 8, 3), "y": integers(5, 2)}, "Perceiver", loss=CLASSIFY),
    research("performer", "from performer_pytorch import Performer", "Performer(dim=16, depth=1, heads=2, dim_head=8)",
             SEQUENCE, "linear attention"),
    research("linear_attention", "from linear_attention_transformer import LinearAttentionTransformer",
             "LinearAttentionTransformer(dim=16, heads=2, depth=1, max_seq_len=16)", SEQUENCE, "linear attention"),
    research("egnn", "from egnn_pytorch import EGNN", "EGNN(dim=8)", {"x": floats(1, 6, 8), "y": floats(1, 6, 3)}, "GNN",
             call="model(x, y)", loss="output[0].square().mean() + output[1].square().mean()"),
    research("conformer", "from conformer import ConformerBlock",
             "ConformerBlock(dim=16, dim_head=8, heads=2, ff_mult=2, conv_expansion_factor=2, conv_kernel_size=5)",
             SEQUENCE, "speech", backward=2e-3),
    research("mixer", "from mlp_mixer_pytorch import MLPMixer",
             "MLPMixer(image_size=16, channels=3, patch_size=8, dim=16, depth=2, num_classes=5)",
             {"x": floats(2, 3, 16, 16), "y": integers(5, 2)}, "MLP", loss=CLASSIFY),
    research("axial_attention", "from axial_attention import AxialAttention",
             "AxialAttention(dim=8, dim_index=1, heads=2, num_dimensions=2)", {"x": floats(2, 8, 6, 6)}, "attention"),
    research("rotary", """
        from rotary_embedding_torch import RotaryEmbedding

        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.rotary = RotaryEmbedding(dim=8)
                self.project = nn.Linear(16, 48)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                q, k, v = self.project(x).unflatten(-1, (3, 2, 8)).permute(2, 0, 3, 1, 4)
                q, k = self.rotary.rotate_queries_or_keys(q), self.rotary.rotate_queries_or_keys(k)
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """, "Attention()", SEQUENCE, "attention"),
    research("local_transformer", "from local_attention import LocalTransformer",
             "LocalTransformer(num_tokens=20, dim=16, depth=1, max_seq_len=16, heads=2, dim_head=8, causal=True, "
             "local_attn_window_size=4)", {"x": integers(20, 2, 16)}, "GPT", loss=NEXT_TOKEN),
    research("gated_mlp", "from g_mlp_pytorch import gMLP", "gMLP(num_tokens=20, dim=16, depth=2, seq_len=12, heads=1)",
             TOKENS, "MLP", loss="F.cross_entropy(output.transpose(1, 2), x)"),
    research("multiscale_similarity", """
        from pytorch_msssim import SSIM

        class Restoration(nn.Module):
            def __init__(self):
                super().__init__()
                self.convolution = nn.Conv2d(3, 3, 3, padding=1)
                self.similarity = SSIM(data_range=1.0, win_size=5, channel=3)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.similarity(torch.sigmoid(self.convolution(x)), x)
        """, "Restoration()", {"x": unit_floats(2, 3, 16, 16)}, "loss"),
    research("efficientnet", "from efficientnet_pytorch import EfficientNet",
             'EfficientNet.from_name("efficientnet-b0", override_params={"num_classes": 5})', IMAGES, "CNN", loss=CLASSIFY, forward=1e-3,
             backward=2e-2),
    research("mamba", "from mambapy.mamba import Mamba, MambaConfig", "Mamba(MambaConfig(d_model=8, n_layers=2))",
             {"x": floats(2, 8, 8)}, "state space", backward=2e-3),
    research("temporal_convolution", "from pytorch_tcn import TCN",
             "TCN(num_inputs=4, num_channels=[8, 8], kernel_size=3, dropout=0.0)", {"x": floats(2, 4, 12)}, "CNN"),
    research("product_keys", "from product_key_memory import PKM", "PKM(dim=16, heads=2, num_keys=8, topk=4, dim_head=16)",
             SEQUENCE, "memory"),
    research("axial_positions", "from axial_positional_embedding import AxialPositionalEmbedding",
             "AxialPositionalEmbedding(dim=16, axial_shape=(4, 4))", SEQUENCE, "embedding"),
    research("soft_experts", "from soft_moe_pytorch import SoftMoE", "SoftMoE(dim=16, seq_len=12, num_experts=2)",
             SEQUENCE, "mixture of experts"),
    research("experts", "from mixture_of_experts import MoE", "MoE(dim=16, num_experts=4)", SEQUENCE,
             "mixture of experts", loss="output[0].square().mean() + output[1]"),
    research("siren", "from siren_pytorch import SirenNet",
             "SirenNet(dim_in=2, dim_hidden=16, dim_out=3, num_layers=2, w0_initial=5.0)", {"x": unit_floats(10, 2)},
             "implicit function"),
    research("tabnet", "from pytorch_tabnet.tab_network import TabNetNoEmbeddings",
             "TabNetNoEmbeddings(input_dim=6, output_dim=3, n_d=4, n_a=4, n_steps=2, virtual_batch_size=8)",
             {"x": floats(8, 6)}, "tabular", loss="output[0].square().mean() + output[1]", backward=2e-3),
    research("inverted_transformer", "from iTransformer import iTransformer",
             "iTransformer(num_variates=5, lookback_len=8, dim=16, depth=1, heads=2, dim_head=8, pred_length=2)",
             {"x": floats(2, 8, 5)}, "time series", call="model(x)"),
    research("minimal_gru", "from minGRU_pytorch import minGRU", "minGRU(dim=16)", SEQUENCE, "LSTM"),
    research("gate_loop", "from gateloop_transformer import SimpleGateLoopLayer", "SimpleGateLoopLayer(dim=16)", SEQUENCE,
             "state space"),
    research("lion", "from lion_pytorch import Lion", "nn.Linear(6, 3)", {"x": floats(4, 6)}, "optimizer",
             optimizer="Lion(model.parameters(), lr=1e-3, weight_decay=1e-2)"),
)  # fmt: skip
CASES: tuple[Case, ...] = (
    *PROGRAMS, *RESEARCH, *PAPERS, *TRANSFORMERS, *VIT, *X_TRANSFORMERS, *DIFFUSION, *QUANTIZE, *TIMM, *SEGMENTATION, *METRIC, *TORCHMETRICS, *KORNIA
)  # fmt: skip
