"""Everyday work by real tools, under a policy that protects."""
