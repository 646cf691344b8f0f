"""The pure half of the enforcement point: bytes in, commands out; the sockets are in `runtime`.

Start with `machine.py`: every protocol is a `Machine` that turns bytes into `Command`s. A statement becomes
an `Ask`; the machine holds it (and everything that must not overtake it) until `resume` brings the
`Settled`. The order of replies is the machine's business.
"""
