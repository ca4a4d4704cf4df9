"""Exploration: a conversation tried with every kind of reply, without a model."""
