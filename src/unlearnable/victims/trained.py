"""A trained classifier whole: its weights, how it takes pictures, and the names of its classes, in one file."""

from pathlib import Path

from torch import nn

from unlearnable.victims.architectures import Victim
from unlearnable.victims.features import network_of, read_weights, stated_classes, stated_intake


def load_trained(victim: Victim, file: Path, side: int) -> tuple[nn.Module, tuple[str, ...]]:
    """The network of a file that `save_weights` wrote or that has timm's names, and its classes, where the file says.

    Args:
        victim: which network it is.
        file: safetensors, with the last layer.
        side: of the pictures in pixels.

    Raises:
        ValueError: it is no such file.

    Examples:
        >>> model, classes = load_trained(victim_named("resnet9"), Path("model.safetensors"), 32)  # doctest: +SKIP
    """
    stored = read_weights(file)
    draft = network_of(victim.build(2, side))
    last = {id(tensor) for tensor in draft.get_classifier().parameters()}
    heads = [name for name, tensor in draft.named_parameters() if id(tensor) in last]
    if missing := sorted(draft.state_dict().keys() - stored.keys()):
        raise ValueError(f"{file} lacks {len(missing)} tensors of {victim}, {missing[0]} among them")
    model = network_of(victim.build(len(stored[heads[-1]]), side))
    try:
        model.load_state_dict(stored)
    except RuntimeError as error:
        raise ValueError(f"{file} has not the weights of {victim} for pictures of {side} px: {error}") from None
    (stated_intake(file) or victim.usual_intake()).install(model)
    return model, stated_classes(file)
