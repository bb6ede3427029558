"""`brew embed`: the features of one scene, from the shell."""

import argparse
from functools import partial
from pathlib import Path

from brew.data.images.description import add_options, read_options
from brew.embedding import embed, free_name
from brew.models.student import load_student


def main(arguments: list[str]) -> int:
    """`brew embed IMAGE --student FILE --out features.zarr [options]`."""
    parser = argparse.ArgumentParser(
        prog="brew embed",
        usage="brew embed IMAGE --student FILE --out FILE [options]",
        formatter_class=partial(argparse.HelpFormatter, width=110),
    )
    parser.add_argument("image", help="a file, folder, product, Zarr, item of STAC, or another name that GDAL reads")
    add = parser.add_argument
    add("--student", type=Path, required=True, metavar="FILE", help="weights of a student, ours or the authors'")
    add("--out", type=Path, required=True, metavar="FILE", help="features.zarr or features.tif; goes on where it ended")
    add("--stride", type=int, default=4, metavar="PX", help="pixels per feature: 4, 8, 16 or 32 (4)")
    add("--tile", type=int, default=128, metavar="PX", help="rows of pixels at a time; more take more memory (128)")
    add("--invalid", type=float, default=0.5, metavar="SHARE", help="of a cell's pixels that may lack (0.5)")
    add("--dtype", default="float32", metavar="TYPE", help="of kept features: float32, float16 or int8 (float32)")
    add("--device", default="cpu", metavar="NAME", help="that computes (cpu)")
    add_options(parser)
    chosen = vars(parser.parse_args(arguments))
    out = free_name(chosen["out"])  # before a student is read
    chosen["student"] = load_student(chosen["student"])
    found = embed(**read_options(chosen))
    print(f"{out} written: {found['features'].sizes['feature']} features, a value per {chosen['stride']} px")
    return 0
