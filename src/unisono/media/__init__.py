"""From samples to sound and pictures, and back to arrays."""
