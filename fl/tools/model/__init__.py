"""Exported models: a folder with parameters, card and configuration, and what people do with it."""
