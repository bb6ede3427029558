"""SOURCES: where stores come from, one entry each.

A generated source needs nothing. A real one is found below ``$BREW_DATA``, and a manifest in git (`data/manifests/`)
describes its files. `python -m brew manifest` writes manifests anew after the files have changed.
Adding a source is one entry here and at most one reader beside this file.
"""

from brew.data.fetch import Remote
from brew.data.miniature import miniature_store
from brew.data.sources import (
    bigearthnet_v2,
    deo_file,
    geobench,
    geotiff,
    hot_buildings,
    levir_cd,
    oscd,
    pastis,
    rsscn7,
    sen1floods11,
    spacenet1,
    ssl4eo,
    treesatai,
)
from brew.data.sources.fmow import fmow_fetching, fmow_store
from brew.data.sources.source import Source, from_folder, from_folder_with_settings, without_folder
from brew.errors import unknown


def _geobench(name: str, entry: geobench.GeobenchSet) -> Source:
    archive = f"{geobench.HOST}/{entry.part}/{entry.folder}.zip"
    return Source(
        name,
        f"GEO-Bench v1: {entry.folder}, {entry.form.size} x {entry.form.size}, {len(entry.form.classes)} classes",
        geobench.LICENCE,
        from_folder(lambda root, path: geobench.build(root, path, entry)),
        folder=name,
        patterns=("**/*.hdf5", "**/*_partition.json", "**/task_specs.pkl"),
        obtain=f"run `make data BENCHMARK={name}`, or unpack {archive} there",
        remotes=lambda: (Remote(f"{entry.folder}.zip", archive),),
    )


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "miniature",
            "a procedural Earth rendered from spectra and shapes, not real imagery",
            miniature_store.LICENCE,
            without_folder(miniature_store.build),
        ),
        Source(
            "oscd",
            "Onera Satellite Change Detection: 24 cities, two dates, Sentinel-2 L1C",
            oscd.LICENCE,
            from_folder_with_settings(oscd.build),
            folder="oscd",
            patterns=("*Images/*/imgs_*_rect/*.tif", "*Labels/*/cm/cm.png"),
            obtain="run `make data BENCHMARK=oscd`",
            remotes=oscd.remotes,
        ),
        Source(
            "rsscn7",
            "RSSCN7: 1,750 aerial scenes of seven classes, at 128 x 128",
            rsscn7.LICENCE,
            from_folder(rsscn7.build),
            folder="rsscn7",
            patterns=("*/*.jpg",),
            obtain=rsscn7.OBTAIN,
            check=rsscn7.check,
        ),
        Source(
            "hot_buildings",
            "HOT buildings: 147 aerial chips with building masks",
            hot_buildings.LICENCE,
            from_folder(hot_buildings.build),
            folder="hot_buildings",
            patterns=("*/images/*.tif", "*/masks/*.tif"),
            obtain="Humanitarian OpenStreetMap Team's fAIr training chips, 256 x 256, in train/ and val/",
        ),
        Source(
            "paired",
            "TreeSatAI: co-located aerial (0.2 m) and Sentinel-2 images of nine places",
            treesatai.LICENCE,
            from_folder(treesatai.build),
            folder="treesatai",
            patterns=("*__aerial.tif", "*__s2.tif", "meta.json"),
            obtain="TreeSatAI in GEO-Bench 2's cut, doi 10.5281/zenodo.6780578 for the original",
        ),
        Source(
            "bigearthnet-v2",
            "BigEarthNet v2: nine patches with their land cover, twelve bands",
            bigearthnet_v2.LICENCE,
            from_folder(bigearthnet_v2.build),
            folder="bigearthnet_v2",
            patterns=("*__s2.tif", "meta.json"),
            obtain="BigEarthNet v2 in GEO-Bench 2's cut; doi 10.5281/zenodo.12687186 for the original",
        ),
        Source(
            "spacenet1",
            "SpaceNet 1: buildings of Rio de Janeiro, 0.5 m",
            spacenet1.LICENCE,
            from_folder(spacenet1.build),
            folder="spacenet1",
            patterns=("SN1_buildings/train/3band/*.tif", "SN1_buildings/train/geojson/*.geojson"),
            obtain="run `make data BENCHMARK=spacenet1`, or the training archives of s3://spacenet-dataset",
            remotes=spacenet1.remotes,
        ),
        Source(
            "sen1floods11",
            "Sen1Floods11 v1.1, hand-labelled: flood water in Sentinel-2 images",
            sen1floods11.LICENCE,
            from_folder(sen1floods11.build),
            folder="sen1floods11",
            patterns=tuple(sen1floods11.LISTS.values()) + sen1floods11.files("*"),
            obtain="run `make data BENCHMARK=sen1floods11`, or gs://sen1floods11/v1.1 with its folders",
            remotes=sen1floods11.remotes,
            listed=sen1floods11.listed,
        ),
        Source(
            "pastis",
            "PASTIS: crops of France, a year of Sentinel-2 images",
            pastis.LICENCE,
            from_folder(pastis.build),
            folder=pastis.FOLDER,
            patterns=pastis.PATTERNS,
            obtain=pastis.OBTAIN,
            remotes=pastis.remotes,
        ),
        Source(
            "pastis-year",
            "PASTIS, an image a month: crops of France",
            pastis.LICENCE,
            from_folder(pastis.build_year),
            folder=pastis.FOLDER,
            patterns=pastis.PATTERNS,
            obtain=pastis.OBTAIN,
            remotes=pastis.remotes,
        ),
        Source(
            "levir-cd",
            "LEVIR-CD: buildings in Texas on two dates, 0.5 m",
            levir_cd.LICENCE,
            from_folder(levir_cd.build),
            folder="levir-cd",
            patterns=("A/*.png", "B/*.png", "label/*.png"),
            obtain="run `make data BENCHMARK=levir-cd`; train.zip, val.zip and test.zip of the authors' Google Drive "
            "(https://justchenhao.github.io/LEVIR), put there by hand, are checked and unpacked by it too",
            remotes=levir_cd.remotes,
        ),
        Source(
            "fmow",
            "fMoW: 880,000 Sentinel-2 images of 82,000 places, paired with aerial ones",
            fmow_store.LICENCE,
            from_folder_with_settings(fmow_store.build),
            folder=fmow_store.FOLDER,
            patterns=fmow_store.LISTS,
            obtain=fmow_store.OBTAIN,
            remotes=fmow_fetching.remotes,
            sizes=fmow_fetching.SIZES,
            part=fmow_fetching.fetch_images,
        ),
        Source(
            "ssl4eo",
            "SSL4EO-S12 v1.1: 246,144 places in four seasons, Sentinel-2 L1C",
            ssl4eo.LICENCE,
            from_folder_with_settings(ssl4eo.build),
            folder=ssl4eo.FOLDER,
            patterns=("*/S2L1C/*.zarr.zip",),
            obtain=ssl4eo.OBTAIN,
            sizes=ssl4eo.SIZES,
            part=ssl4eo.fetch_files,
        ),
        Source(
            "deo_file",
            "the one HDF5 file that DEO's released code trains on, made by its user",
            "as its settings say",
            without_folder(deo_file.build),
        ),
        *(_geobench(name, entry) for name, entry in geobench.GEOBENCH.items()),
        Source(
            "geotiff",
            "a folder of Sentinel-2 GeoTIFFs of one's own, one file per band or per scene",
            "as its settings say",
            without_folder(geotiff.build),
        ),
    )
}


def source(name: str) -> Source:
    """The source of that name; BrewError with the nearest known one if there is none."""
    if name not in SOURCES:
        raise unknown("source", name, SOURCES)
    return SOURCES[name]
