"""FORMS: what the samples of published benchmarks look like, one entry each.

These facts are shared by a benchmark's declaration and the reader of its files, which do not need each other.
Classes are as those name them who publish the data: converters of GEO-Bench, torchgeo, the authors.
"""

from dataclasses import dataclass
from typing import Literal

from brew.data.store import IMAGES, Variable
from brew.sensors import sensor

#: What a sample's label is: a class number, one 0 or 1 per class, or a map of class numbers.
LabelKind = Literal["class", "classes", "map"]


@dataclass(frozen=True)
class Form:
    """What every sample of a data set looks like.

    sensor: of SENSORS. size: pixels per side. classes: in the order of their numbers. dates: images per sample.
    """

    sensor: str
    size: int
    label: LabelKind
    classes: tuple[str, ...]
    dates: int = 1

    @property
    def images(self) -> str:
        """The store's variable of the images: the one whose sensor reads the same bands."""
        return "optical" if self.sensor == "rgb" else "multispectral"

    @property
    def variables(self) -> dict[str, Variable]:
        """Of the store; `label` lies on the images' grid where it is a map."""
        dims = IMAGES[self.images][1]
        shape = (self.dates, len(sensor(self.sensor)), self.size, self.size)
        label = {
            "class": Variable(("sample",), (), "int64"),
            "classes": Variable(("sample", "class"), (len(self.classes),), "uint8"),
            "map": Variable(("sample", *dims[3:]), (self.size, self.size), "uint8"),
        }[self.label]
        texts = {name: Variable(("sample",), (), "text") for name in ("split", "origin", "hash")}
        return {self.images: Variable(dims, shape, sensor(self.sensor).dtype), "label": label} | texts


_EUROSAT = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop", "Residential",
    "River", "SeaLake",
)  # fmt: skip
_LOCAL_CLIMATE_ZONES = (
    "Compact high rise", "Compact mid rise", "Compact low rise", "Open high rise", "Open mid rise", "Open low rise",
    "Lightweight low rise", "Large low rise", "Sparsely built", "Heavy industry", "Dense trees", "Scattered trees",
    "Bush, scrub", "Low plants", "Bare rock or paved", "Bare soil or sand", "Water",
)  # fmt: skip
_CORINE_43 = (
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
_CORINE_19 = (
    "Urban fabric", "Industrial or commercial units", "Arable land", "Permanent crops", "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation", "Agro-forestry areas",
    "Broad-leaved forest", "Coniferous forest", "Mixed forest", "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation", "Transitional woodland, shrub", "Beaches, dunes, sands",
    "Inland wetlands", "Coastal wetlands", "Inland waters", "Marine waters",
)  # fmt: skip
#: The last is the void label of parcels that lie mostly outside their patch.
_PASTIS = (
    "background", "meadow", "soft winter wheat", "corn", "winter barley", "winter rapeseed", "spring barley",
    "sunflower", "grapevine", "beet", "winter triticale", "winter durum wheat", "fruits, vegetables, flowers",
    "potatoes", "leguminous fodder", "soybeans", "orchard", "mixed cereal", "sorghum", "void label",
)  # fmt: skip

FORMS: dict[str, Form] = {
    "spacenet1": Form("rgb", 224, "map", ("background", "building")),
    "m-nz-cattle": Form("rgb", 500, "map", ("no cattle", "cattle")),
    "m-pv4ger-seg": Form("rgb", 320, "map", ("no solar pv", "solar pv")),
    "m-chesapeake": Form("rgb", 256, "map", _LAND_COVER),
    "m-sa-crop-type": Form("sentinel2", 256, "map", _CROPS),
    "m-cashew-plant": Form("sentinel2", 256, "map", _CASHEW),
    "sen1floods11": Form("sentinel2", 512, "map", ("no data", "dry", "water")),
    "pastis": Form("sentinel2", 128, "map", _PASTIS),
    "pastis-year": Form("sentinel2", 128, "map", _PASTIS, dates=15),
    "levir-cd": Form("rgb", 256, "map", ("no change", "change"), dates=2),
    "m-bigearthnet": Form("sentinel2", 120, "classes", _CORINE_43),
    "m-so2sat": Form("sentinel2", 32, "class", _LOCAL_CLIMATE_ZONES),
    "m-eurosat": Form("sentinel2", 64, "class", _EUROSAT),
    "bigearthnet-v2": Form("sentinel2", 120, "classes", _CORINE_19),
}
