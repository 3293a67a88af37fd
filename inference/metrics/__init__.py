"""Metrics of a prediction against physics ground truth; one module a group, each a list of `Metric` and a `measure`."""
