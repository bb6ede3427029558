"""One update: what the schedules say, weight decay where it belongs, clipped gradients."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from brew.pretraining.optimisation import Optimisation
from brew.pretraining.schedules import cosine, warmup_cosine


def follow_schedules(optimiser: Optimizer, o: Optimisation, step: int) -> dict[str, float]:
    """Set learning rate and weight decay of `step`, and return both by name."""
    rate = warmup_cosine(o.learning_rate, o.final_learning_rate, step, o.steps, o.warmup_steps)
    decay = cosine(*o.weight_decay, step, o.steps)
    for group in optimiser.param_groups:
        group["lr"] = rate
        group["weight_decay"] = decay if group["decays"] else 0.0
    return {"learning rate": rate, "weight decay": decay}


def parameter_groups(module: nn.Module) -> list[dict]:
    """Weight decay acts on matrices and kernels, not on biases and norms (paper, section 4)."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "decays": True},
        {"params": [p for p in parameters if p.ndim <= 1], "decays": False},
    ]


def clip(module: nn.Module, limit: float, jointly: bool) -> Float[Tensor, " parameter"]:
    """Clip gradients in place, jointly or each parameter by itself, without waiting for the device.

    Returns the norm of each gradient before, in the order of `parameters_with_gradient`.
    """
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    scales = (limit / ((torch.linalg.vector_norm(norms) if jointly else norms) + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, scales if jointly else list(scales.unbind()))
    return norms


def parameters_with_gradient(module: nn.Module) -> tuple[str, ...]:
    """The names of the parameters that a backward pass has reached."""
    return tuple(name for name, parameter in module.named_parameters() if parameter.grad is not None)
