"""Programs that every party runs, and demonstrations."""
