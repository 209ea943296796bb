"""Models of the transformers package: its modeling files, with stand-ins for the loading and caching around them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from ..sweep import package_files
from .programs import Case, booleans, floats, integers

GROUP = "transformers"
STAND_INS = Path(__file__).parents[2] / "fixtures" / "stand_ins"
MODELS = ("bert", "gpt2", "llama", "t5", "vit", "mistral", "clip", "whisper")
#: Files taken whole, and one of which only these functions and classes are taken: the rest imports too much.
WHOLE = ("activations.py", "modeling_outputs.py", *(f"models/{name}/modeling_{name}.py" for name in MODELS))
IN_PART = {"pytorch_utils.py": ("Conv1D", "apply_chunking_to_forward", "meshgrid")}
HEAD = "import inspect\nfrom collections.abc import Callable\n\nimport torch\nfrom torch import nn\n\n\n"

SETTINGS = (
    "vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, attention_dropout=0.0, "
    "layer_norm_eps=1e-5, max_position_embeddings=16, image_size=16, patch_size=8, num_channels=3, pad_token_id=0, "
    "hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, _attn_implementation='eager', output_attentions=False, "
    "output_hidden_states=False, use_cache=False, chunk_size_feed_forward=0, is_decoder=False, add_cross_attention=False"
)
NEXT_TOKEN = "F.cross_entropy(output[:, :-1].transpose(1, 2), x[:, 1:])"


def transformers_files() -> dict[str, bytes]:
    """The modeling files and their stand-ins by path."""
    stored = package_files(GROUP)
    files = {path.relative_to(STAND_INS).as_posix(): path.read_bytes() for path in sorted(STAND_INS.rglob("*.py"))}
    files |= {f"{GROUP}/{name}": stored[f"{GROUP}/{name}"] for name in WHOLE}
    for name, wanted in IN_PART.items():
        text = stored[f"{GROUP}/{name}"].decode()
        lines = text.splitlines()
        parts = [
            "\n".join(lines[node.lineno - 1 : node.end_lineno])
            for node in ast.parse(text).body
            if getattr(node, "name", "") in wanted and hasattr(node, "end_lineno")
        ]
        files[f"{GROUP}/{name}"] = (HEAD + "\n\n\n".join(parts) + "\n").encode()
    return files


def model(name: str, kind: str, imports: str, settings: str, body: str, inputs: Any, **changes: Any) -> Case:
    """A model put together from a modeling file's own parts."""
    prelude = f"from types import SimpleNamespace\n{imports}\n\nCONFIG = SimpleNamespace(**(dict({SETTINGS}) | dict({settings})))\n\n\n{body}"
    return Case(name, kind, GROUP, prelude, changes.pop("build", "Model()"), inputs, **changes)


TRANSFORMERS = (
    model("hf_bert", "BERT", "from transformers.models.bert.modeling_bert import BertEmbeddings, BertEncoder, BertOnlyMLMHead, "
          "BertPooler", "hidden_act='gelu', type_vocab_size=2, position_embedding_type='absolute'", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = BertEmbeddings(CONFIG)
        self.encoder = BertEncoder(CONFIG)
        self.pooler = BertPooler(CONFIG)
        self.cls = BertOnlyMLMHead(CONFIG)

    def forward(self, x: torch.Tensor, mask: torch.Tensor):
        bias = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        h = self.encoder(self.embeddings(input_ids=x), attention_mask=bias).last_hidden_state
        return self.cls(h), self.pooler(h)
""", {"x": integers(20, 2, 12), "mask": booleans(2, 12)}, call="model(x, mask)",
          loss="F.cross_entropy(output[0].transpose(1, 2), x) + output[1].square().mean()"),
    model("hf_gpt2", "GPT", "from transformers.models.gpt2.modeling_gpt2 import GPT2Block",
          "n_inner=None, activation_function='gelu_new', attn_pdrop=0.1, resid_pdrop=0.1, layer_norm_epsilon=1e-5, "
          "scale_attn_weights=True, scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(20, 16)
        self.wpe = nn.Embedding(16, 16)
        self.h = nn.ModuleList([GPT2Block(CONFIG, layer_idx=i) for i in range(2)])
        self.ln_f = nn.LayerNorm(16)

    def forward(self, x: torch.Tensor):
        t = x.size(1)
        mask = torch.full((t, t), torch.finfo(torch.float32).min).triu(1)[None, None]
        h = self.wte(x) + self.wpe(torch.arange(t, device=x.device))
        for block in self.h:
            h = block(h, attention_mask=mask)
            h = h[0] if isinstance(h, tuple) else h
        return self.ln_f(h) @ self.wte.weight.T
""", {"x": integers(20, 2, 12)}, loss=NEXT_TOKEN),
    model("hf_llama", "LLM", "from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm, "
          "LlamaRotaryEmbedding", "num_attention_heads=4, num_key_value_heads=2, head_dim=4, hidden_act='silu', "
          "rms_norm_eps=1e-6, attention_bias=False, mlp_bias=False, rope_parameters={'rope_type': 'default', 'rope_theta': 1e4}",
          """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.layers = nn.ModuleList([LlamaDecoderLayer(CONFIG, layer_idx=i) for i in range(2)])
        self.norm = LlamaRMSNorm(16)
        self.rotary = LlamaRotaryEmbedding(CONFIG)
        self.head = nn.Linear(16, 20, bias=False)

    def forward(self, x: torch.Tensor):
        h = self.embed(x)
        positions = torch.arange(x.shape[1], device=x.device)[None]
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)[None, None]
        embeddings = self.rotary(h, positions)
        for layer in self.layers:
            h = layer(h, attention_mask=mask, position_ids=positions, position_embeddings=embeddings)
        return self.head(self.norm(h))
""", {"x": integers(20, 2, 12)}, loss=NEXT_TOKEN),
    model("hf_mistral", "LLM", "from transformers.models.mistral.modeling_mistral import MistralDecoderLayer, "
          "MistralRotaryEmbedding", "num_attention_heads=4, num_key_value_heads=2, head_dim=4, hidden_act='silu', "
          "rms_norm_eps=1e-6, sliding_window=4, rope_parameters={'rope_type': 'default', 'rope_theta': 1e4}", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = MistralDecoderLayer(CONFIG, layer_idx=0)
        self.rotary = MistralRotaryEmbedding(CONFIG)

    def forward(self, x: torch.Tensor):
        positions = torch.arange(x.shape[1])[None]
        return self.layer(x, position_ids=positions, position_embeddings=self.rotary(x, positions))
""", {"x": floats(2, 8, 16)}),
    model("hf_t5", "T5", "from transformers.models.t5.modeling_t5 import T5Block",
          "d_model=16, d_kv=8, d_ff=24, num_heads=2, relative_attention_num_buckets=8, relative_attention_max_distance=16, "
          "dropout_rate=0.1, layer_norm_epsilon=1e-6, dense_act_fn='gelu_new', is_gated_act=True", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([T5Block(CONFIG, has_relative_attention_bias=i == 0, layer_idx=i) for i in range(2)])

    def forward(self, x: torch.Tensor):
        bias = None
        for block in self.blocks:
            out = block(x, position_bias=bias)
            x, bias = out[0], out[1]
        return x
""", {"x": floats(2, 8, 16)}),
    model("hf_vit", "ViT", "from transformers.models.vit.modeling_vit import ViTEmbeddings, ViTLayer",
          "hidden_act='gelu', qkv_bias=True", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = ViTEmbeddings(CONFIG, use_mask_token=True)
        self.layers = nn.ModuleList([ViTLayer(CONFIG) for _ in range(2)])

    def forward(self, x: torch.Tensor):
        h = self.embeddings(x, bool_masked_pos=x.mean((1, 2, 3))[:, None].expand(-1, 4) > 0)
        for layer in self.layers:
            h = layer(h)
        return h
""", {"x": floats(2, 3, 16, 16)}),
    model("hf_clip", "CLIP", "from transformers.models.clip.modeling_clip import CLIPEncoder, CLIPTextEmbeddings, "
          "CLIPVisionEmbeddings, image_text_contrastive_loss", "hidden_act='quick_gelu', max_position_embeddings=12", """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = CLIPTextEmbeddings(CONFIG)
        self.image = CLIPVisionEmbeddings(CONFIG)
        self.text_encoder = CLIPEncoder(CONFIG)
        self.image_encoder = CLIPEncoder(CONFIG)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: torch.Tensor, y: torch.Tensor):
        image = self.image_encoder(inputs_embeds=self.image(x)).last_hidden_state[:, 0]
        text = self.text_encoder(inputs_embeds=self.text(input_ids=y)).last_hidden_state[:, -1]
        image = image / image.norm(p=2, dim=-1, keepdim=True)
        text = text / text.norm(p=2, dim=-1, keepdim=True)
        return text @ image.t() * self.logit_scale.exp()
""", {"x": floats(2, 3, 16, 16), "y": integers(20, 2, 12)}, call="model(x, y)", loss="image_text_contrastive_loss(output)"),
    model("hf_whisper", "speech", "from transformers.models.whisper.modeling_whisper import WhisperEncoder",
          "d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24, activation_function='gelu', dropout=0.0, "
          "activation_dropout=0.0, encoder_layerdrop=0.0, num_mel_bins=4, max_source_positions=8, scale_embedding=False", "",
          {"x": floats(2, 4, 16)}, build="WhisperEncoder(CONFIG)", call="model(x).last_hidden_state"),
)  # fmt: skip
