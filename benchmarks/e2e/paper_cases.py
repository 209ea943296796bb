"""Models of small packages that each follow one paper, none of which the converter was written with in mind."""

from __future__ import annotations

from typing import Any

from .programs import Case, booleans, floats, integers, unit_floats

SEQUENCE = {"x": floats(2, 16, 16)}
TOKENS = {"x": integers(20, 2, 16)}
NEXT_TOKEN = "F.cross_entropy(output[:, :-1].transpose(1, 2), x[:, 1:])"
SAME_TOKEN = "F.cross_entropy(output.transpose(1, 2), x)"


def paper(name: str, kind: str, imports: str, model: str, inputs: Any, **changes: Any) -> Case:
    """One model; most of these normalise over few values, which costs a digit."""
    return Case(name, kind, "papers", imports, model, inputs, **{"forward": 1e-4, "backward": 5e-3, **changes})


def quality(name: str, measure: str, imports: str) -> Case:
    """A measure of image quality as the loss of a convolution that restores images."""
    prelude = f"""
        {imports}

        class Restoration(nn.Module):
            def __init__(self):
                super().__init__()
                self.convolution = nn.Conv2d(3, 3, 3, padding=1)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                y = torch.sigmoid(self.convolution(x))
                return {measure}
        """
    return paper(name, "image quality", prelude, "Restoration()", {"x": unit_floats(2, 3, 32, 32)})


def flow(name: str, method: str, options: str = "") -> Case:
    """An ordinary differential equation whose field is a network."""
    prelude = f"""
        from torchdiffeq import odeint

        class Field(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

            def forward(self, t, y):
                return self.net(y * torch.cos(t))

        class Flow(nn.Module):
            def __init__(self):
                super().__init__()
                self.field = Field()

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return odeint(self.field, x, torch.linspace(0.0, 1.0, 4), method="{method}"{options})
        """
    return paper(name, "neural ODE", prelude, "Flow()", {"x": floats(3, 4)})


PAPERS = (
    paper("linformer", "linear attention", "from linformer import LinformerLM",
          "LinformerLM(num_tokens=20, dim=16, seq_len=16, depth=1, heads=2, k=6, one_kv_head=True, share_kv=True)",
          TOKENS, loss=SAME_TOKEN),
    paper("nystrom", "linear attention", "from nystrom_attention import NystromAttention",
          "NystromAttention(dim=16, heads=2, dim_head=8, num_landmarks=4)", {**SEQUENCE, "mask": booleans(2, 16)},
          call="model(x, mask=mask)"),
    paper("h_transformer", "hierarchical attention", "from h_transformer_1d import HTransformer1D",
          "HTransformer1D(num_tokens=20, dim=16, depth=1, max_seq_len=16, heads=2, dim_head=8, block_size=4, "
          "shift_tokens=True)", {**TOKENS, "mask": booleans(2, 16)}, call="model(x, mask=mask)"),
    paper("feedback", "GPT", "from feedback_transformer_pytorch import FeedbackTransformer",
          "FeedbackTransformer(num_tokens=20, dim=16, depth=1, seq_len=2, mem_len=4, heads=2, dim_head=8)",
          {"x": integers(20, 2, 6)}, loss=NEXT_TOKEN),
    paper("mega", "state space", "from mega_pytorch import Mega",
          "Mega(num_tokens=20, dim=16, depth=1, ema_heads=2, attn_dim_qk=8, attn_dim_value=16, laplacian_attn_fn=True)",
          TOKENS, loss=NEXT_TOKEN),
    paper("block_recurrent", "recurrent transformer", "from block_recurrent_transformer_pytorch import "
          "BlockRecurrentTransformer", "BlockRecurrentTransformer(num_tokens=20, dim=16, depth=2, heads=2, dim_head=16, "
          "max_seq_len=16, block_width=8, num_state_vectors=8, recurrent_layers=(2,))", TOKENS, call="model(x)[0]",
          loss=NEXT_TOKEN),
    paper("token_shift", "GPT", """
        from token_shift_gpt import TokenShiftGPT
        from token_shift_gpt.autoregressive_wrapper import AutoregressiveWrapper
        """, "AutoregressiveWrapper(TokenShiftGPT(num_tokens=20, dim=16, max_seq_len=16, depth=1))", TOKENS,
          call="(model(x),)", loss="output[0]"),
    paper("glom", "part-whole", "from glom_pytorch import Glom",
          "Glom(dim=16, levels=3, image_size=16, patch_size=4, consensus_self=True, local_consensus_radius=1)",
          {"x": floats(2, 3, 16, 16)}, call="model(x, iters=3, return_all=True)"),
    paper("halo_attention", "attention", "from halonet_pytorch import HaloAttention",
          "HaloAttention(dim=8, block_size=4, halo_size=2, dim_head=4, heads=2)", {"x": floats(2, 8, 8, 8)}),
    paper("slot_attention", "object-centric", "from slot_attention import AdaptiveSlotWrapper, MultiHeadSlotAttention",
          "AdaptiveSlotWrapper(MultiHeadSlotAttention(num_slots=3, dim=16, heads=2, dim_head=8, iters=2))", SEQUENCE,
          call="model(x)[0]"),
    paper("lambda_layer", "attention", "from lambda_networks import LambdaLayer",
          "LambdaLayer(dim=8, dim_out=8, r=3, dim_k=4, heads=2, dim_u=2)", {"x": floats(2, 8, 8, 8)}),
    paper("bottleneck", "CNN and attention", "from bottleneck_transformer_pytorch import BottleStack",
          "BottleStack(dim=8, fmap_size=8, dim_out=16, proj_factor=2, downsample=True, heads=2, dim_head=4, "
          "rel_pos_emb=True, num_layers=2)", {"x": floats(2, 8, 8, 8)}),
    paper("res_mlp", "MLP", "from res_mlp_pytorch import ResMLP",
          "ResMLP(image_size=16, patch_size=4, dim=16, depth=2, num_classes=5)",
          {"x": floats(2, 3, 16, 16), "y": integers(5, 2)}, loss="F.cross_entropy(output, y)"),
    paper("segformer", "segmentation", "from segformer_pytorch import Segformer",
          "Segformer(dims=(8, 8, 16, 16), heads=(1, 2, 2, 2), ff_expansion=(2, 2, 2, 2), reduction_ratio=(8, 4, 2, 1), "
          "num_layers=1, decoder_dim=16, num_classes=4)", {"x": floats(2, 3, 64, 64)}),
    paper("timesformer", "video", "from timesformer_pytorch import TimeSformer",
          "TimeSformer(dim=16, num_frames=4, num_classes=5, image_size=16, patch_size=8, depth=1, heads=2, dim_head=8, "
          "shift_tokens=True)", {"x": floats(2, 4, 3, 16, 16), "mask": booleans(2, 4)}, call="model(x, mask=mask)"),
    paper("uformer", "U-Net", "from uformer_pytorch import Uformer",
          "Uformer(dim=8, stages=1, num_blocks=1, window_size=4, dim_head=4, heads=2, ff_mult=2)",
          {"x": floats(1, 3, 16, 16)}),
    paper("x_unet", "U-Net", "from x_unet import XUnet",
          "XUnet(dim=8, dim_mults=(1, 2), num_blocks_per_stage=(1, 1), num_self_attn_per_stage=(0, 1), "
          "nested_unet_depths=(1, 0), nested_unet_dim=8, weight_standardize=True, attn_heads=2, attn_dim_head=4)",
          {"x": floats(1, 3, 16, 16)}),
    paper("point_attention", "protein structure", "from invariant_point_attention import IPABlock",
          "IPABlock(dim=16, heads=2, pairwise_repr_dim=6)",
          {"x": floats(1, 8, 16), "pair": floats(1, 8, 8, 6), "t": floats(1, 8, 3)},
          call="model(x, pairwise_repr=pair, rotations=torch.eye(3).expand(1, 8, 3, 3), translations=t)"),
    quality("variation_loss", "TVLoss()(y)", "from piq import TVLoss"),
    quality("psnr", "psnr(y, x, data_range=1.0)", "from piq import psnr"),
    quality("gradient_similarity", "GMSDLoss()(y, x)", "from piq import GMSDLoss"),
    quality("haar_similarity", "HaarPSILoss()(y, x)", "from piq import HaarPSILoss"),
    quality("mean_deviation", "MDSILoss()(y, x)", "from piq import MDSILoss"),
    quality("subband_similarity", "DSSLoss()(y, x)", "from piq import DSSLoss"),
    flow("euler", "euler"),
    flow("runge_kutta", "rk4", ", options={'step_size': 0.1}"),
    flow("adaptive", "dopri5", ", rtol=1e-4, atol=1e-4"),
)  # fmt: skip
