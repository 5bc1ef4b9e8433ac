"""The network: embedding, encoder, bottleneck, decoder, heads."""
