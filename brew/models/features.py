"""Named features: what every trunk gives, whatever it is built of."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Features of a batch of images.

    maps: "stride4", "stride8", "stride16", "stride32", each (batch, channel, y, x) with one value per stride x stride
        pixels. Swin: after its four stages. ViT: four depths, resized bilinearly.
    pooled: one vector per image, after the trunk's final norm. Swin: mean over the last stage. ViT: the class token.
    late, middle: patches of the last and of a middle stage (Swin) or block (ViT), before the final norm.
    """

    maps: dict[str, Float[Tensor, "batch _channel _y _x"]]
    pooled: Float[Tensor, "batch _width"]
    late: Float[Tensor, "batch _channel _y _x"]
    middle: Float[Tensor, "batch _channel _y _x"]

    def split(self, sizes: Sequence[int]) -> list["Features"]:
        """The features of consecutive parts of the batch, without a copy; `sizes` add up to the batch."""
        parts = list(sizes)
        maps = {name: each.split(parts) for name, each in self.maps.items()}
        pooled, late, middle = (each.split(parts) for each in (self.pooled, self.late, self.middle))
        return [
            Features({name: each[i] for name, each in maps.items()}, pooled[i], late[i], middle[i])
            for i in range(len(parts))
        ]
