"""Static word vectors: store, formats, probes."""
