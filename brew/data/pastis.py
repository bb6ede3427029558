"""PASTIS: crops of France."""

#: In the order of their numbers; the last is the void label of parcels that lie mostly outside their patch.
CLASSES = (
    "background", "meadow", "soft winter wheat", "corn", "winter barley", "winter rapeseed", "spring barley",
    "sunflower", "grapevine", "beet", "winter triticale", "winter durum wheat", "fruits, vegetables, flowers",
    "potatoes", "leguminous fodder", "soybeans", "orchard", "mixed cereal", "sorghum", "void label",
)  # fmt: skip
