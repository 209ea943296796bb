"""Models of other people's packages, converted with a small training program around each, run and compared."""
