"""From sample words to transfers of the core: the decoder and its palettes."""
