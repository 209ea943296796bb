import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    """One residual MLP block."""

    def __init__(self, dim: int, dropout: float = 0.1):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, 4 * dim, bias=False)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x):
        return x + self.scale * self.drop(F.gelu(self.fc(self.norm(x))))


class Net(nn.Module):
    def __init__(self, dim: int, depth: int, classes: int):
        super().__init__()
        self.blocks = nn.ModuleList([Block(dim) for _ in range(depth)])
        self.head = nn.Linear(dim, classes)

    def forward(self, x):
        b, t, d = x.size()
        mask = torch.tril(torch.ones(t, t, device=x.device)).view(1, t, t)
        att = (x @ x.transpose(-2, -1)).masked_fill(mask == 0, float("-inf"))
        x = F.softmax(att, dim=-1) @ x
        for block in self.blocks:
            x = block(x)
        x[:, 0] = 0.0
        return self.head(x.mean(dim=1))


def train(model: Net, batches, lr: float = 1e-3):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
