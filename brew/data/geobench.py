"""GEO-Bench v1: its data sets, one entry each."""

from dataclasses import dataclass
from typing import Literal

#: What a sample's label is: a class number, one 0 or 1 per class, or a map of class numbers.
LabelKind = Literal["class", "classes", "map"]


@dataclass(frozen=True)
class GeobenchSet:
    """One data set of GEO-Bench v1.

    folder: below ``$BREW_DATA``, as the archive unpacks. size: pixels per side. classes: in the order of their numbers.
    """

    folder: str
    sensor: str
    size: int
    label: LabelKind
    classes: tuple[str, ...]


_EUROSAT = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop", "Residential",
    "River", "SeaLake",
)  # fmt: skip
_LOCAL_CLIMATE_ZONES = (
    "Compact high rise", "Compact mid rise", "Compact low rise", "Open high rise", "Open mid rise", "Open low rise",
    "Lightweight low rise", "Large low rise", "Sparsely built", "Heavy industry", "Dense trees", "Scattered trees",
    "Bush, scrub", "Low plants", "Bare rock or paved", "Bare soil or sand", "Water",
)  # fmt: skip
_CORINE = (
    "Continuous urban fabric", "Discontinuous urban fabric", "Industrial or commercial units",
    "Road and rail networks and associated land", "Port areas", "Airports", "Mineral extraction sites", "Dump sites",
    "Construction sites", "Green urban areas", "Sport and leisure facilities", "Non-irrigated arable land",
    "Permanently irrigated land", "Rice fields", "Vineyards", "Fruit trees and berry plantations", "Olive groves",
    "Pastures", "Annual crops associated with permanent crops", "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation", "Agro-forestry areas",
    "Broad-leaved forest", "Coniferous forest", "Mixed forest", "Natural grassland", "Moors and heathland",
    "Sclerophyllous vegetation", "Transitional woodland/shrub", "Beaches, dunes, sands", "Bare rock",
    "Sparsely vegetated areas", "Burnt areas", "Inland marshes", "Peatbogs", "Salt marshes", "Salines",
    "Intertidal flats", "Water courses", "Water bodies", "Coastal lagoons", "Estuaries", "Sea and ocean",
)  # fmt: skip
_LAND_COVER = (
    "water", "tree-canopy-forest", "low-vegetation-field", "barren-land", "impervious-other", "impervious-roads",
    "no-data",
)  # fmt: skip
_CASHEW = (
    "no data", "well-managed plantation", "poorly-managed plantation", "non-plantation", "residential", "background",
    "uncertain",
)  # fmt: skip
_CROPS = (
    "No Data", "Lucerne/Medics", "Planted pastures (perennial)", "Fallow", "Wine grapes", "Weeds",
    "Small grain grazing", "Wheat", "Canola", "Rooibos",
)  # fmt: skip

#: Classes as the converters of GEO-Bench name them (ServiceNow/geo-bench, benchmark/dataset_converters).
GEOBENCH: dict[str, GeobenchSet] = {
    "m-nz-cattle": GeobenchSet("m-nz-cattle", "rgb", 500, "map", ("no cattle", "cattle")),
    "m-pv4ger-seg": GeobenchSet("m-pv4ger-seg", "rgb", 320, "map", ("no solar pv", "solar pv")),
    "m-chesapeake": GeobenchSet("m-chesapeake", "rgb", 256, "map", _LAND_COVER),
    "m-sa-crop-type": GeobenchSet("m-SA-crop-type", "sentinel2", 256, "map", _CROPS),
    "m-cashew-plant": GeobenchSet("m-cashew-plant", "sentinel2", 256, "map", _CASHEW),
    "m-bigearthnet": GeobenchSet("m-bigearthnet", "sentinel2", 120, "classes", _CORINE),
    "m-so2sat": GeobenchSet("m-so2sat", "sentinel2", 32, "class", _LOCAL_CLIMATE_ZONES),
    "m-eurosat": GeobenchSet("m-eurosat", "sentinel2", 64, "class", _EUROSAT),
}
