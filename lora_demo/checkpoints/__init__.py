"""Write adapters to files, and read them back, whoever made them."""
