"""Picture files from strangers, read: what each may cost, and what one sees of it."""
