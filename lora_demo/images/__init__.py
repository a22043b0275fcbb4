"""Read picture files from strangers, each at a bounded cost."""
