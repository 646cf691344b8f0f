"""Who is calling: what a caller presents becomes a `SignedIn` or a `Refused`, and stays true or not.

`base.Identity` is the shape that every way to sign in has; `local` is the one with tokens of our own.
`directory` holds the declared users, services and groups, replaced whole on reload; `liveness` says, per
statement and from memory, whether a session still holds.
"""
