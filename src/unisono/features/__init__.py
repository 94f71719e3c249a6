"""From sound, pictures and lyrics to feature vectors, one module per extractor."""
