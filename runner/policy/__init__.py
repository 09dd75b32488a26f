"""Who may what: ceilings, whose registry.yaml counts, secrets."""
