"""Training steps in the forms that people write: the conversion trains as the original does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import NORMALIZED_NET, assert_same_training

import ivy_convert

HEAD = (
    NORMALIZED_NET
    + """

class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 6)
        self.norm = nn.BatchNorm1d(6)
        self.second = nn.Linear(6, 1)

    def forward(self, x):
        return self.second(self.norm(F.relu(self.first(x))))

"""
)


def body(text: str) -> str:
    """A training function with this loop body."""
    lines = "\n".join(f"        {line}" for line in text.strip().splitlines())
    return (
        HEAD
        + f"""
def train(model: Net, xs, ys):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for i, (x, y) in enumerate(zip(xs, ys)):
{lines}
    return losses
"""
    )


FORWARD = ["out = model(x)", "loss = criterion(out, y)"]
TAIL = ["loss.backward()", "optimizer.step()"]


def orders() -> list[list[str]]:
    """Every place at which zero_grad can stand."""
    steps = [*FORWARD, *TAIL, "losses.append(loss.item())"]
    found = []
    for place in range(len(steps) + 1):
        if place == 3:  # between backward and step it would clear what the step needs
            continue
        found.append([*steps[:place], "ZERO", *steps[place:]])
    return found


@pytest.mark.parametrize("order", orders(), ids=lambda order: str(order.index("ZERO")))
@pytest.mark.parametrize(
    "zero", ["optimizer.zero_grad()", "model.zero_grad()", "optimizer.zero_grad(set_to_none=True)"]
)
def test_zero_grad_anywhere(order: list[str], zero: str) -> None:
    text = assert_same_training(body("\n".join(order).replace("ZERO", zero)))
    assert "zero_grad" not in text and "add_gradients" not in text


def test_clearing_before_the_step_is_refused() -> None:
    code = body("\n".join([*FORWARD, "loss.backward()", "optimizer.zero_grad()", "optimizer.step()"]))
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert any("without gradients" in site.reason for site in report.unsupported)


FORMS = {
    "expression": "optimizer.zero_grad()\ncriterion(model(x), y).backward()\noptimizer.step()\nlosses.append(float(i))",
    "sum of losses": """
optimizer.zero_grad()
out = model(x)
a = criterion(out, y)
b = out.pow(2).mean()
(a + 0.1 * b).backward()
optimizer.step()
losses.append(a.item())
losses.append(b.item())""",
    "two backward calls": """
optimizer.zero_grad()
loss = criterion(model(x), y)
loss.backward()
penalty = model(x * 2).pow(2).mean()
penalty.backward()
optimizer.step()
losses.append(loss.item() + penalty.item())""",
    "two losses of one forward pass": """
out = model(x)
a = criterion(out, y)
optimizer.zero_grad()
a.backward(retain_graph=True)
b = 0.1 * out.pow(2).mean() - 1
b.backward()
optimizer.step()
losses.append(a.item() + b.item())""",
    "gradient of the inputs in the loss": """
optimizer.zero_grad()
x = (2 * x).requires_grad_(True)
out = model(x)
slope = torch.autograd.grad(out.sum(), x, create_graph=True)[0]
curvature = torch.autograd.grad(slope, x, torch.ones_like(slope), create_graph=True)[0]
loss = criterion(out, y) + ((slope.norm(2, dim=1) - 1) ** 2).mean() + curvature.pow(2).mean()
loss.backward()
optimizer.step()
losses.append(loss.item())""",
    "accumulation": """
loss = criterion(model(x), y) / 3
loss.backward()
if (i + 1) % 3 == 0:
    optimizer.step()
    optimizer.zero_grad()
losses.append(loss.item())""",
    "accumulation, clearing first": """
if i % 3 == 0:
    optimizer.zero_grad()
loss = criterion(model(x), y) / 3
loss.backward()
if (i + 1) % 3 == 0:
    optimizer.step()
losses.append(loss.item())""",
    "clip norm": """
optimizer.zero_grad()
loss = criterion(model(x), y)
loss.backward()
norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
optimizer.step()
losses.append(norm.item())""",
    "clip value": """
optimizer.zero_grad()
loss = criterion(model(x), y)
loss.backward()
nn.utils.clip_grad_value_(model.parameters(), clip_value=0.01)
optimizer.step()
losses.append(loss.item())""",
    "output with a gradient": """
optimizer.zero_grad()
out = model(x)
scale = out.abs().max()
out.backward(torch.sin(3 * out) + x[:, :3])
optimizer.step()
losses.append(scale.item())""",
    "losses with a gradient by keyword": """
optimizer.zero_grad()
each = F.cross_entropy(model(x), y, reduction="none")
each.backward(gradient=0.1 * torch.ones(8), retain_graph=True)
optimizer.step()
losses.append(each.mean().item())""",
    "statements between": """
out = model(x)
pred = out.argmax(dim=1)
y = y.reshape(-1)
loss = criterion(out, y)
losses.append(loss.item())
accuracy = (pred == y).float().mean()
optimizer.zero_grad()
loss.backward()
optimizer.step()
losses.append(accuracy.item())""",
    "loop inside": """
optimizer.zero_grad()
loss = 0
for scale in (1.0, 2.0):
    out = model(x * scale)
    loss = loss + criterion(out, y)
loss.backward()
optimizer.step()
losses.append(loss.item())""",
    "list of losses": """
parts = []
for scale in (1.0, 2.0):
    parts.append(criterion(model(x * scale), y))
optimizer.zero_grad()
sum(parts).backward()
optimizer.step()
losses.append(float(i))""",
    "semicolons and one-line suites": """
optimizer.zero_grad(); loss = criterion(model(x), y); loss.backward()
if True: optimizer.step()
losses.append(loss.item())""",
    "condition": """
optimizer.zero_grad()
loss = criterion(model(x), y)
if i % 2 == 0:
    loss.backward()
    optimizer.step()
losses.append(loss.item())""",
    "gradient only sometimes": """
optimizer.zero_grad()
loss = criterion(model(x), y)
if i % 2 == 0:
    loss.backward()
optimizer.step()
losses.append(loss.item())""",
    "nested helper": """
def compute(batch):
    return model(batch)
optimizer.zero_grad()
loss = criterion(compute(x), y)
loss.backward()
optimizer.step()
losses.append(loss.item())""",
    "evaluation between": """
model.train()
optimizer.zero_grad()
loss = criterion(model(x), y)
loss.backward()
optimizer.step()
model.eval()
with torch.no_grad():
    value = criterion(model(x), y)
losses.append(value.item())""",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    assert_same_training(body(FORMS[name]))


def test_accumulates_without_clearing() -> None:
    code = (
        HEAD
        + """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    losses = []
    for x, y in zip(xs, ys):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
    )
    assert "add_gradients" in assert_same_training(code)


def test_step_function_without_clearing_is_refused() -> None:
    code = (
        HEAD
        + """
def train(model, optimizer, x, y):
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""
    )
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert any("add up over the calls" in site.reason for site in report.unsupported)


def test_step_function_and_trainer() -> None:
    code = (
        HEAD
        + """
def train_step(model, batch, optimizer, criterion):
    x, y = batch
    model.train()
    optimizer.zero_grad()
    logits = model(x)
    loss = criterion(logits, y)
    loss.backward()
    optimizer.step()
    return loss.item(), (logits.argmax(1) == y).float().mean().item()


class Trainer:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr, momentum=0.9)
        self.losses = []

    def fit(self, batches):
        for x, y in batches:
            out = self.model(x)
            loss = F.cross_entropy(out, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.item())


def train(model: Net, xs, ys):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for batch in zip(xs, ys):
        losses.extend(train_step(model, batch, optimizer, nn.CrossEntropyLoss()))
    trainer = Trainer(model)
    trainer.fit(zip(xs, ys))
    return losses + trainer.losses
"""
    )
    text = assert_same_training(code)
    assert "self.optimizer.update(self.model, grads)" in text


def test_two_models_one_optimizer() -> None:
    code = (
        HEAD
        + """
def train(encoder: Net, decoder: Critic, xs, ys):
    optimizer = torch.optim.Adam(list(encoder.parameters()) + list(decoder.parameters()), lr=0.01, eps=1e-3)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        hidden = encoder(x)
        loss = decoder(hidden).pow(2).mean() + F.cross_entropy(hidden, y)
        loss.backward()
        nn.utils.clip_grad_norm_(list(encoder.parameters()) + list(decoder.parameters()), 0.5)
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
    )
    assert_same_training(code, models=("Net", "Critic"))


def test_two_optimizers_one_backward() -> None:
    code = (
        HEAD
        + """
def train(encoder: Net, decoder: Critic, xs, ys):
    first = torch.optim.Adam(encoder.parameters(), lr=0.01)
    second = torch.optim.SGD(decoder.parameters(), lr=0.01)
    losses = []
    for x, y in zip(xs, ys):
        first.zero_grad()
        second.zero_grad()
        loss = decoder(encoder(x)).pow(2).mean()
        loss.backward()
        first.step()
        second.step()
        losses.append(loss.item())
    return losses
"""
    )
    assert "argnums=(0, 1)" in assert_same_training(code, models=("Net", "Critic"))


GAN_HEAD = """
def train(gen: Net, critic: Critic, xs, ys):
    bce = nn.BCEWithLogitsLoss()
    opt_g = torch.optim.Adam(gen.parameters(), lr=0.01)
    opt_d = torch.optim.Adam(critic.parameters(), lr=0.01)
    losses = []
    one, zero = torch.ones(8, 1), torch.zeros(8, 1)
    for x, y in zip(xs, ys):
        real = x[:, :3]
"""
GANS = {
    "generator first": """
        opt_g.zero_grad()
        fake = gen(x)
        g_loss = bce(critic(fake), one)
        g_loss.backward()
        opt_g.step()
        opt_d.zero_grad()
        real_loss = bce(critic(real), one)
        fake_loss = bce(critic(fake.detach()), zero)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        opt_d.step()
        losses.append(g_loss.item() + d_loss.item())
""",
    "drawn again": """
        d_loss = bce(critic(real), one) + bce(critic(gen(x).detach()), zero)
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        g_loss = bce(critic(gen(x)), one)
        g_loss.backward()
        opt_g.step()
        losses.append(g_loss.item() + d_loss.item())
""",
    "discriminator first, shared forward pass": """
        critic.zero_grad()
        output = critic(real).view(-1, 1)
        errD_real = bce(output, one)
        errD_real.backward()
        fake = gen(x)
        output = critic(fake.detach())
        errD_fake = bce(output, zero)
        errD_fake.backward()
        errD = errD_real + errD_fake
        opt_d.step()
        gen.zero_grad()
        output = critic(fake)
        errG = bce(output, one)
        errG.backward()
        D_x = output.mean().item()
        opt_g.step()
        losses.append(errD.item() + errG.item() + D_x)
""",
}


@pytest.mark.parametrize("name", GANS)
def test_gans(name: str) -> None:
    assert_same_training(HEAD + GAN_HEAD + GANS[name] + "    return losses\n", models=("Net", "Critic"), tolerance=2e-4)


def test_phases() -> None:
    code = (
        HEAD
        + """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for epoch in range(2):
        for phase in ["train", "val"]:
            if phase == "train":
                model.train()
            else:
                model.eval()
            for inputs, labels in zip(xs, ys):
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)

                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                losses.append(loss.item() + (preds == labels).float().mean().item())
    return losses
"""
    )
    assert_same_training(code)


def test_epoch_function_reports_the_incomplete_group() -> None:
    code = (
        HEAD
        + """
def epoch(model: Net, optimizer, xs, ys, k):
    losses = []
    for i, (x, y) in enumerate(zip(xs, ys)):
        loss = F.cross_entropy(model(x), y) / k
        loss.backward()
        if (i + 1) % k == 0:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def train(model: Net, xs, ys):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return epoch(model, optimizer, xs, ys, 4) + epoch(model, optimizer, xs, ys, 3)
"""
    )
    assert_same_training(code, allow_review=True)


def test_a_function_that_hides_the_model_is_refused() -> None:
    code = (
        HEAD
        + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def forward(x):
    return model(x)


def step(x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(forward(x), y) + model(x).mean()
    loss.backward()
    optimizer.step()
"""
    )
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert any("without receiving it" in site.reason for site in report.unsupported)


def test_loss_in_a_method() -> None:
    code = (
        HEAD
        + """
class Trainer:
    def __init__(self, model: Net):
        self.model = model
        self.scale = 2.0
        self.optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def forward_pass(self, x):
        return self.model(x) * self.scale

    def compute_loss(self, batch):
        x, y = batch
        out = self.forward_pass(x)
        return F.cross_entropy(out, y), out

    def fit(self, batches):
        losses = []
        for batch in batches:
            loss, out = self.compute_loss(batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item() + out.mean().item())
        return losses


def train(model: Net, xs, ys):
    return Trainer(model).fit(list(zip(xs, ys)))
"""
    )
    assert "with_attributes(self, model=model)" in assert_same_training(code)


def test_gan_whose_modules_are_given_or_made_here() -> None:
    """Each loss passes through both modules, whose batch statistics it changes."""
    code = HEAD + """
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, z):
        return self.net(z)


def train(model=None, critic=None, xs=(), ys=()):
    model = Generator() if model is None else model
    critic = Critic() if critic is None else critic
    first = torch.optim.SGD(model.parameters(), lr=0.05)
    second = torch.optim.SGD(critic.parameters(), lr=0.05)
    losses = []
    for x, y in zip(xs, ys):
        second.zero_grad()
        fake = model(x)
        critic_loss = critic(fake.detach()).mean() - critic(x[:, :3]).mean()
        critic_loss.backward()
        second.step()
        first.zero_grad()
        loss = -critic(model(x)).mean()
        loss.backward()
        first.step()
        losses.append(loss.item())
    return losses
"""
    result = ivy_convert.convert_source(code, source="torch", target="jax", filename="x.py")
    assert not result.report.unsupported
    assert "def critic_loss_fn(critic)" in result.code
    assert "def loss_fn(model, critic)" in result.code


def test_gradient_penalty_in_a_function() -> None:
    """A critic step whose loss holds gradients with respect to interpolated inputs."""
    code = (
        HEAD
        + """
class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 6)
        self.second = nn.Linear(6, 1)

    def forward(self, x):
        return self.second(F.leaky_relu(self.first(x), 0.2))


def gradient_penalty(critic, real, fake):
    alpha = torch.linspace(0, 1, real.size(0)).view(-1, 1)
    mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    scores = critic(mixed)
    gradients = torch.autograd.grad(
        outputs=scores, inputs=mixed, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def train(gen: Net, critic: Judge, xs: list[torch.Tensor], ys: list[torch.Tensor]):
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.9))
    losses = []
    for x, y in zip(xs, ys):
        real = x[:, :3]
        optimizer.zero_grad()
        fake = gen(x).detach()
        loss = critic(fake).mean() - critic(real).mean() + 10 * gradient_penalty(critic, real.data, fake.data)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
    )
    assert_same_training(code, models=("Net", "Judge"), tolerance=5e-4)
