"""`brew embed`: the features of one scene, from the shell."""

import argparse
from pathlib import Path
from typing import Any

from brew.embedding import embed, free_name
from brew.errors import BrewError
from brew.feature_files import DTYPES
from brew.models.student import load_student


def main(arguments: list[str]) -> int:
    """`brew embed FILE --student S --out features.zarr`."""
    parser = argparse.ArgumentParser(prog="brew embed", description="Write a scene's features on the scene's own grid.")
    parser.add_argument("image", help="a file, folder, URL or another name that GDAL reads")
    parser.add_argument("--student", type=Path, required=True, help="weights of a student, ours or the authors'")
    parser.add_argument("--out", type=Path, required=True, help="features.zarr or features.tif; goes on where it ended")
    parser.add_argument("--sensor", default="sentinel2", help="whose bands are read (sentinel2)")
    parser.add_argument("--stride", type=int, default=4, help="pixels per feature: 4, 8, 16 or 32 (4)")
    parser.add_argument("--tile", type=int, default=128, help="rows of pixels at a time; more take more memory (128)")
    parser.add_argument("--invalid", type=float, default=0.5, help="share of a cell's pixels that may lack (0.5)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the features that are kept (float32)")
    parser.add_argument("--device", default="cpu", help="that computes (cpu)")
    reading = parser.add_argument_group("how the image is read, if it does not say so itself")
    reading.add_argument("--bands", help="a named order such as L1C-13, or the names of all bands, separated by commas")
    reading.add_argument("--unit", help='"digital numbers", "reflectance" or "percent"')
    reading.add_argument("--scale", type=float, help="value = stored x scale + offset")
    reading.add_argument("--offset", type=float, help="-1000 for products of baseline 04.00 and later, 0 for others")
    reading.add_argument("--mask", help="classes of SCL that have no value, separated by commas")
    reading.add_argument("--date", help="of several in the image")
    reading.add_argument("--pixel", type=float, help="side in metres that is accepted though it is not about 10 m")
    chosen = parser.parse_args(arguments)
    free_name(chosen.out)  # before a student is read
    found = embed(
        chosen.image, load_student(chosen.student), chosen.sensor, chosen.stride, chosen.tile, device=chosen.device,
        out=chosen.out, invalid=chosen.invalid, dtype=chosen.dtype, **_reading(chosen),
    )  # fmt: skip
    print(f"{chosen.out} written: {found['features'].sizes['feature']} features, a value per {chosen.stride} px")
    return 0


def _reading(chosen: argparse.Namespace) -> dict[str, Any]:
    """The reader's options that were given."""
    options = {name: getattr(chosen, name) for name in ("unit", "scale", "offset", "date", "pixel")}
    if chosen.bands is not None:
        options["bands"] = chosen.bands.split(",") if "," in chosen.bands else chosen.bands
    if chosen.mask is not None:
        try:
            options["mask"] = [int(each) for each in chosen.mask.split(",")]
        except ValueError:
            raise BrewError(f"--mask {chosen.mask!r}; expected numbers of classes, such as 3,8,9,10") from None
    return {name: value for name, value in options.items() if value is not None}
