"""The steps of the page: each builds its components, then connects their events."""
