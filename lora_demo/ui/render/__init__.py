"""Records of the core as sentences and pictures for the page."""
