"""Bands that differ from the others of their scene: one of fractions, one of percent, one without any light."""

from brew.data.images.calibration import Levels, Said
from brew.data.images.parts import Opened
from brew.data.images.scene_image import Image

#: No band of digital numbers is as dark as the first; percent end at the second.
_FRACTION, _PERCENT = 2.0, 100.0
#: Share of whole numbers in a band of digital numbers.
_WHOLE = 0.99


def check_bands(image: Image, levels: Levels, caller: Said, opened: Opened) -> None:
    """BrewError if one band is in another unit than the rest, or is all black, and neither file nor caller says so."""
    if caller.unit is not None or caller.scale is not None:
        return
    open_ = [band for band, source in image.sources.items() if not source.calibration.unit_by]
    rest = [levels.whole[band] for band in open_ if levels.tops[band] > _PERCENT]
    for band in open_:
        where, top, part = image.sources[band].layer.where, levels.tops[band], levels.whole[band] < _WHOLE
        if top == 0:
            raise opened.refuse(
                f"{where}, band {band}: all black, 99 % of it is 0 where other bands have values; expected an image. "
                'Obtain the band again, or pass `unit="digital numbers"` if the place is that dark'
            )
        if part and top <= (_PERCENT if rest and min(rest) >= _WHOLE else _FRACTION):
            unit = "reflectance" if top <= _FRACTION else "percent"
            raise opened.refuse(
                f"{where}, band {band}: 99 % is below {top:.3g}, which looks like {unit} beside bands of digital "
                'numbers; expected one unit. Say it in the file: open it by rasterio.open(path, "r+") and set '
                f'`file.units` to "{unit}" for this band'
            )
