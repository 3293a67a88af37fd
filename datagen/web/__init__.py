"""Static pages that open from disk: what they show (records), their videos (tiles), and the files they are made of."""
