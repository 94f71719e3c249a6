"""What several methods are built of: linear algebra, kernels, losses, training loops."""
