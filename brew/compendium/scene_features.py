"""`brew embed`: the features of one scene, from the shell."""

import argparse
from pathlib import Path
from typing import Any

from brew.embedding import embed, free_name
from brew.errors import BrewError
from brew.models.student import load_student


def main(arguments: list[str]) -> int:
    """`brew embed FILE --student S --out features.zarr`."""
    parser = argparse.ArgumentParser(prog="brew embed", usage="brew embed IMAGE --student FILE --out FILE [options]")
    parser.add_argument("image", help="a file, folder, URL or another name that GDAL reads")
    add = parser.add_argument
    add("--student", type=Path, required=True, metavar="FILE", help="weights of a student, ours or the authors'")
    add("--out", type=Path, required=True, metavar="FILE", help="features.zarr or .tif; goes on where it ended")
    add("--sensor", default="sentinel2", metavar="NAME", help="whose bands are read (sentinel2)")
    add("--stride", type=int, default=4, metavar="PX", help="pixels per feature: 4, 8, 16 or 32 (4)")
    add("--tile", type=int, default=128, metavar="PX", help="rows of pixels at a time (128)")
    add("--invalid", type=float, default=0.5, metavar="SHARE", help="share of a cell's pixels that may lack (0.5)")
    add("--dtype", default="float32", metavar="TYPE", help="of kept features: float32, float16 or int8")
    add("--device", default="cpu", metavar="NAME", help="that computes (cpu)")
    # How the image is read, if it does not say so itself.
    add("--bands", metavar="NAMES", help="an order such as L1C-13, or all bands' names: B4,B3")
    add("--unit", metavar="NAME", help='"digital numbers", "reflectance" or "percent"')
    add("--scale", type=float, metavar="NUMBER", help="value = stored x scale + offset")
    add("--offset", type=float, metavar="NUMBER", help="-1000 from baseline 04.00 on, 0 before")
    add("--mask", metavar="CLASSES", help="of SCL that have no value, such as 3,8,9,10")
    add("--date", help="of several in the image")
    add("--pixel", type=float, metavar="METRES", help="side that is accepted though it is not about 10 m")
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
