"""The keys of each trainer's config, per version: what `overrides` and compilers may say."""
