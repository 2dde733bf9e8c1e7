"""C3D as the article runs it, in a process of its own: float32, plain NCDHW, torch's layers and defaults.

python -m benchmarks._plain_c3d FOLDER BATCH_CLIPS CLASSES

Takes the weights from FOLDER/weights.safetensors and the clips from FOLDER/clips.npy; prints seconds as JSON. Clips are
cut, converted and normalised beforehand, so that forward pass and step alone are timed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

CONVOLUTIONS = ((3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512))
POOLED_AFTER = {0: (1, 2, 2), 1: (2, 2, 2), 3: (2, 2, 2), 5: (2, 2, 2), 7: (2, 2, 2)}
CROP_PX = 112
WARM_UP, TIMED = 1, 2


class C3D(nn.Module):
    """Tran et al. 2015, figure 3."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv3d(inside, outside, kernel_size=(3, 3, 3), padding=(1, 1, 1)) for inside, outside in CONVOLUTIONS
        )
        self.pools = nn.ModuleDict(
            {
                str(after): nn.MaxPool3d(size, stride=size, padding=(0, 1, 1) if after == 7 else 0)
                for after, size in POOLED_AFTER.items()
            }
        )
        self.fc6, self.fc7, self.fc8 = nn.Linear(8192, 4096), nn.Linear(4096, 4096), nn.Linear(4096, classes)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(0.5)

    def features(self, x_BCTHW: Tensor) -> Tensor:
        """The activations of fc6."""
        for number, convolution in enumerate(self.convolutions):
            x_BCTHW = self.relu(convolution(x_BCTHW))
            if number in POOLED_AFTER:
                x_BCTHW = self.pools[str(number)](x_BCTHW)
        features: Tensor = self.relu(self.fc6(x_BCTHW.reshape(-1, 8192)))
        return features

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        x = self.dropout(self.features(x_BCTHW))
        logits: Tensor = self.fc8(self.dropout(self.relu(self.fc7(x))))
        return logits


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The weights of `models.c3d`'s paper variant under the names of this one."""
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv3d)]
    named = {f"convolutions.{number}": layer for number, layer in enumerate(convolutions)}
    named |= {name: getattr(model, name) for name in ("fc6", "fc7", "fc8")}
    return {
        f"{name}.{kind}": getattr(layer, kind).detach().contiguous()
        for name, layer in named.items()
        for kind in ("weight", "bias")
    }


def seconds(work: list[float]) -> float:
    return min(work[WARM_UP:])


def main() -> None:
    folder, batch, classes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.manual_seed(0)
    model = C3D(classes)
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    clip_BTHWC = np.load(folder / "clips.npy")[:batch]
    top, left = ((side - CROP_PX) // 2 for side in clip_BTHWC.shape[2:4])
    cut = clip_BTHWC[:, :, top : top + CROP_PX, left : left + CROP_PX].transpose(0, 4, 1, 2, 3)
    x_BCTHW = (torch.from_numpy(cut.copy()).float() / 255 - 0.5) / 0.25
    label = torch.randint(0, classes, (batch,))
    forward, step = [], []
    model.eval()
    with torch.no_grad():
        for _ in range(WARM_UP + TIMED):
            start = time.perf_counter()
            found = model.features(x_BCTHW)
            forward.append(time.perf_counter() - start)
    np.save(folder / "theirs.npy", found.numpy())
    model.train()
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = criterion(model(x_BCTHW), label)
        loss.backward()
        optimizer.step()
        loss.item()
        step.append(time.perf_counter() - start)
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"features": seconds(forward), "training": seconds(step), "parameters": parameters}))


if __name__ == "__main__":
    main()
