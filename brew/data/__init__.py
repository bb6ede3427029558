"""What enters: sources become stores, stores become batches.

`brew.data.sources.catalogue.SOURCES` lists the sources, `brew.data.store` is the one on-disk form, and
`brew.data.batches` feeds training from a store.
"""
