"""Which scenes a data source can give."""
