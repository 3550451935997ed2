"""Your own table: from a CSV or Parquet file to a certified worst-case model, and from the saved model to predictions."""
