"""The controller's documents in words: each a `Document`, made from the facts of `archive.register`."""
