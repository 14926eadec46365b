"""The estimators by name, in a file that costs nothing to import."""

AUTO = "auto"

METHODS = {
    "exact": "counts; for whole numbers, one a sample, of at most 20 values",
    "batch": "classifiers and the least informative joint of batches (Liang et al. 2023)",
    "lsmi": "classifiers and densities, sample by sample (Yang et al. 2025)",
}
