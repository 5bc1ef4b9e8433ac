"""Labels and a bundle -> a model: one training, a search over many, and what else a model can learn from."""
