"""What the experiments show: tables and figures, each beside the dissertation's own."""
