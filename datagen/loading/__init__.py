"""Finished shards as training data, without torch: what is where, who reads what in which order, and decoding.

`datagen.loader` makes a torch dataset of it.
"""
