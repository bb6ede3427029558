"""A small SAFE product of Sentinel-2 as GDAL's driver takes it: baseline 05.09, 1000 added, a corner without data."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from brew.sensors import SENTINEL2_BANDS

NAME = "S2A_MSIL2A_20230701T101031_N0509_R022_T32TPS_20230701T141600.SAFE"
_GRANULE = "GRANULE/L2A_T32TPS_A041900_20230701T101031"
_PSD = "https://psd-14.sentinel2.eo.esa.int/PSD/{}.xsd"


def write_safe(folder: Path, numbers: dict[str, Any], left: float, top: float, corner: int = 0) -> Path:
    """numbers: by band, without the offset, on the 10 m grid. corner: pixels per side that hold 0."""
    size, files = len(numbers["B2"]), []
    for band, values in numbers.items():
        pixel = max(10, int(SENTINEL2_BANDS[band].resolution_m))
        if band == "B10" or size * 10 % pixel:
            continue
        stored = (values + 1000).astype(np.uint16)
        stored[:corner, :corner] = 0
        stored = stored[:: pixel // 10, :: pixel // 10]
        files.append(f"{_GRANULE}/IMG_DATA/R{pixel}m/T32TPS_20230701T101031_B{band[1:].zfill(2)}_{pixel}m")
        path = folder / NAME / f"{files[-1]}.jp2"
        path.parent.mkdir(parents=True, exist_ok=True)
        place = {"crs": "EPSG:32632", "transform": Affine(pixel, 0, left, 0, -pixel, top), "dtype": "uint16"}
        shape = {"count": 1, "height": len(stored), "width": len(stored), "driver": "JP2OpenJPEG"}
        with rasterio.open(path, "w", quality=100, reversible="YES", **place, **shape) as file:
            file.write(stored, 1)
    (folder / NAME / "MTD_MSIL2A.xml").write_text(_product(files))
    (folder / NAME / _GRANULE / "MTD_TL.xml").write_text(_tile(size, left, top))
    return folder / NAME


def _tag(name: str, *inner: str, **attributes: Any) -> str:
    told = [f' {key}="{value}"' for key, value in attributes.items()]
    return f"<{name}{''.join(told)}>{''.join(inner)}</{name}>"


def _product(files: list[str]) -> str:
    images = [_tag("IMAGE_FILE", file) for file in files]
    name = "S2A_OPER_MSI_L2A_TL_2APS_20230701T141600_A041900_T32TPS_N05.09"
    granule = _tag("Granule", *images, granuleIdentifier=name, imageFormat="JPEG2000")
    info = _tag(
        "Product_Info", _tag("PRODUCT_URI", NAME), _tag("PROCESSING_LEVEL", "Level-2A"),
        _tag("PRODUCT_TYPE", "S2MSI2A"), _tag("PROCESSING_BASELINE", "05.09"),
        _tag("Query_Options", _tag("PRODUCT_FORMAT", "SAFE_COMPACT")),
        _tag("Product_Organisation", _tag("Granule_List", granule)),
    )  # fmt: skip
    special = [
        _tag("Special_Values", _tag("SPECIAL_VALUE_TEXT", text), _tag("SPECIAL_VALUE_INDEX", value))
        for text, value in (("NODATA", "0"), ("SATURATED", "65535"))
    ]
    spectra = [_tag("Spectral_Information", bandId=n, physicalBand=band) for n, band in enumerate(SENTINEL2_BANDS)]
    scale = _tag("QUANTIFICATION_VALUES_LIST", _tag("BOA_QUANTIFICATION_VALUE", "10000"))
    offsets = _tag("BOA_ADD_OFFSET_VALUES_LIST", *(_tag("BOA_ADD_OFFSET", "-1000", band_id=n) for n in range(13)))
    image = _tag("Product_Image_Characteristics", *special, scale, offsets, *spectra)
    return _root("Level-2A_User_Product", "User_Product_Level-2A", _tag("n1:General_Info", info, image))


def _tile(size: int, left: float, top: float) -> str:
    grids = []
    for pixel in (10, 20, 60):
        side = str(size * 10 // pixel)
        grids.append(_tag("Size", _tag("NROWS", side), _tag("NCOLS", side), resolution=pixel))
        corner = [_tag("ULX", str(left)), _tag("ULY", str(top)), _tag("XDIM", str(pixel)), _tag("YDIM", str(-pixel))]
        grids.append(_tag("Geoposition", *corner, resolution=pixel))
    general = _tag("n1:General_Info", _tag("SENSING_TIME", "2023-07-01T10:14:56.000Z"))
    coded = _tag(
        "Tile_Geocoding",
        _tag("HORIZONTAL_CS_NAME", "WGS84 / UTM zone 32N"),
        _tag("HORIZONTAL_CS_CODE", "EPSG:32632"),
        *grids,
    )
    return _root("Level-2A_Tile_ID", "Tile_Metadata", general, _tag("n1:Geometric_Info", coded))


def _root(name: str, schema: str, *inner: str) -> str:
    return f'<n1:{name} xmlns:n1="{_PSD.format(schema)}">{"".join(inner)}</n1:{name}>'
