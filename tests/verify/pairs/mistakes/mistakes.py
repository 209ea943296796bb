import torch
import torch.nn as nn
import torch.nn.functional as F


class Epsilon(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        return self.norm(self.fc(x))


class TanhGelu(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return F.gelu(self.fc(x))


class TransposedWeight(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim))

    def forward(self, x):
        return x @ self.weight


class Inner(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return self.fc(F.softmax(x, dim=-1))


class Axis(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.layers = nn.ModuleList([Inner(dim), Inner(dim)])

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x


class ForgottenScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x):
        return x * self.scale


class Momentum(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x):
        return self.norm(x.flatten(0, 1))


class Detached(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.second = nn.Linear(dim, dim)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class MissingBias(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return self.fc(x)


def clamp_gradient(x):
    return x.clamp(min=0.0).sum()


def normalise_(x):
    """Divides by the largest value, in place."""
    x /= x.abs().max()


def noisy(x):
    return x + torch.randn_like(x)


def counts(labels):
    return torch.bincount(labels)


class Trained(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.second = nn.Linear(dim, dim)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def _train(weight_decay, max_norm):
    torch.manual_seed(0)
    model = Trained(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=weight_decay)
    losses = []
    for _ in range(5):
        loss = model(torch.randn(2, 3, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_with_weight_decay():
    return _train(0.01, 100.0)


def train_with_clipping():
    return _train(0.0, 1e-9)
