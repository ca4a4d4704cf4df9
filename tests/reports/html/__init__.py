"""The page that show writes."""
