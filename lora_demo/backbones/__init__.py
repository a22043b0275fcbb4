"""Load the base models: find their weights, cut the networks in two, read features of pictures."""
