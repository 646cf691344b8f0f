"""The attacker as a program: how many bits of secrets each way of asking tells, per 1,000 statements.

`space` says what a secret may be, `questions` what is asked about one, `knowledge` what is still possible and how many
bits that is. `oracles/` holds the ways of asking, one per file; `phrasing` turns each into attempts, `campaign` runs
them as two principals of a real gateway, or straight at the server. Read README.md in the directory above.

Laws: a bit counts only if the true secret is still among those that are possible; a way of asking counts only where
the attacker has seen, on rows that are his own, that different secrets are answered differently; guessing is worth
nothing on average.
"""
