"""A clinic's own data on its way in: CSV rows read and judged, then written in batches."""
