"""`brew embed`: the features of one scene, from the shell."""

import argparse
from pathlib import Path

from brew.embedding import embed
from brew.errors import BrewError
from brew.models.student import load_student


def main(arguments: list[str]) -> int:
    """`brew embed SCENE STUDENT OUT`."""
    parser = argparse.ArgumentParser(prog="brew embed", description="Write a scene's features on the scene's own grid.")
    parser.add_argument("scene", type=Path, help="a GeoTIFF whose bands are described by their names")
    parser.add_argument("student", type=Path, help="weights of a student, ours or the authors'")
    parser.add_argument("out", type=Path, help="to write: features.tif or features.zarr")
    parser.add_argument("--sensor", default="sentinel2", help="whose bands are read (sentinel2)")
    parser.add_argument("--stride", type=int, default=4, help="pixels per feature: 4, 8, 16 or 32 (4)")
    parser.add_argument("--device", default="cpu", help="that computes (cpu)")
    chosen = parser.parse_args(arguments)
    if chosen.out.suffix not in (".tif", ".zarr"):
        raise BrewError(f"{chosen.out} ends in {chosen.out.suffix!r}; expected .tif or .zarr. Name such a file")
    features = embed(chosen.scene, load_student(chosen.student), chosen.sensor, chosen.stride, device=chosen.device)
    if chosen.out.suffix == ".tif":
        features["features"].rio.to_raster(chosen.out)
    else:
        features.to_zarr(chosen.out)
    print(f"{chosen.out} written: {features['features'].sizes['feature']} features, a value per {chosen.stride} px")
    return 0
