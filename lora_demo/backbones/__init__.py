"""The base models: where their weights lie, how they are cut, what they make of pictures."""
