"""Clips as grids of patches: reshapes, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class PatchGrid:
    """How a clip of `channels` x `frames` x `height_px` x `width_px` falls into `patch_frames` x `patch_px` squares.

    Raises:
        ValueError: a size the patches do not divide.
    """

    channels: int
    frames: int
    height_px: int
    width_px: int
    patch_frames: int
    patch_px: int

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}; it must be 1 (gray) or 3 (RGB)")
        if self.frames < 1 or self.frames % self.patch_frames:
            raise ValueError(
                f"frames is {self.frames}; it must be at most {self.patch_frames} or a multiple of {self.patch_frames}"
            )
        for name in ("height_px", "width_px"):
            value = getattr(self, name)
            if value < self.patch_px or value % self.patch_px:
                raise ValueError(f"{name} is {value}; it must be a multiple of {self.patch_px}")

    @property
    def grid(self) -> tuple[int, int, int]:
        """Patches along frames, rows and columns."""
        return self.frames // self.patch_frames, self.height_px // self.patch_px, self.width_px // self.patch_px

    @property
    def places(self) -> int:
        """Patches in a clip."""
        groups, rows, columns = self.grid
        return groups * rows * columns

    @property
    def patch_values(self) -> int:
        """Values in a patch."""
        return self.patch_frames * self.patch_px**2 * self.channels

    def cut(self, x_BCTHW: Tensor) -> Tensor:
        """Patches (B, places, patch_values), a patch in the order frame, row, column, channel."""
        groups, rows, columns = self.grid
        x = x_BCTHW.reshape(-1, self.channels, groups, self.patch_frames, rows, self.patch_px, columns, self.patch_px)
        return x.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(-1, self.places, self.patch_values)

    def join(self, patches_BND: Tensor) -> Tensor:
        """The inverse of `cut`: (B, C, T, H, W)."""
        x = patches_BND.reshape(-1, *self.grid, self.patch_frames, self.patch_px, self.patch_px, self.channels)
        x = x.permute(0, 7, 1, 4, 2, 5, 3, 6)
        return x.reshape(-1, self.channels, self.frames, self.height_px, self.width_px)

    def fold(self, x_BCTHW: Tensor) -> Tensor:
        """Frames as channels of an image: (B * groups, patch_frames * C, H, W)."""
        x = x_BCTHW.reshape(-1, self.channels, self.grid[0], self.patch_frames, self.height_px, self.width_px)
        return x.permute(0, 2, 3, 1, 4, 5).flatten(2, 3).flatten(0, 1)

    def unfold(self, x_GCHW: Tensor) -> Tensor:
        """The inverse of `fold`."""
        x = x_GCHW.reshape(-1, self.grid[0], self.patch_frames, self.channels, self.height_px, self.width_px)
        return x.permute(0, 3, 1, 2, 4, 5).flatten(2, 3)

    def as_map(self, places_BNS: Tensor) -> Tensor:
        """What is known of each place, as images: (B * groups, S, rows, columns)."""
        _, rows, columns = self.grid
        return places_BNS.reshape(-1, rows, columns, places_BNS.shape[-1]).permute(0, 3, 1, 2)

    def from_map(self, maps_GSHW: Tensor) -> Tensor:
        """The inverse of `as_map`: (B, places, S)."""
        return maps_GSHW.permute(0, 2, 3, 1).reshape(-1, self.places, maps_GSHW.shape[1])
